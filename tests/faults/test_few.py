"""The part of the campaign that belongs to `make test`: what needs no training."""

import signal

from faults.test_concurrency import make_store_at_once
from faults.test_images import prepare_mutated_images
from faults.test_kills import CASES, Kills
from faults.workplace import Supplies


def test_a_killed_prepare_goes_on(forge, posters, tmp_path):
    supplies = Supplies(posters[0].parent, *[tmp_path] * 3)
    kills = Kills(forge, CASES["prepare"], supplies, tmp_path)
    kills.kill(signal.SIGKILL, 0.7, "killed")


def test_a_few_mutated_images_through_prepare(forge, tmp_path, request):
    prepare_mutated_images(40, forge, tmp_path, request)


def test_a_store_is_made_once_by_four_commands_at_once(forge, manifest, tmp_path, request):
    make_store_at_once(1, forge, manifest, tmp_path, request)
