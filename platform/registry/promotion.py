"""Which version of a registered model is the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflow.entities.model_registry import ModelVersion

from recolor.datasets.errors import RecolorError, first_line
from recolor.evaluation.answers import Measured, ranking, ranking_in_words
from recolor.evaluation.metrics.metric import HIGHER
from recolor.evaluation.tables import MAY_KNOW
from recolor.platform.registry.comparison import Bar, Comparison, compare, forget, no_bar
from recolor.platform.registry.history import Change, former_champions, read_history, record
from recolor.platform.registry.tasks import RECOLORING, Task, measure_of
from recolor.platform.registry.versions import (
    DATA_TAG,
    RegistryError,
    current_champion,
    registered_versions,
    task_of,
    validated_metrics,
    version_uri,
)

if TYPE_CHECKING:
    from recolor.datasets.dataset_info import DatasetInfo


def promote(
    metric: str,
    chosen: str | None = None,
    force: bool = False,
    reason: str | None = None,
    data: DatasetInfo | None = None,
    bar: Bar = no_bar,
    task: Task = RECOLORING,
) -> tuple[str, str]:
    """Give the alias ``champion`` to a version, and compare it with the bundled network.

    Versions are ranked by what they make of the validation posters: recoloring, by their answers
    when told the palette or, where they take none, free. They are compared only where they were
    validated on the same data.

    Of several promotions at the same time that are not forced, the best version wins.

    The champion answers by default only if it is better than the bundled network, see `comparison`.

    Args:
        metric: One of the task's metrics.
        chosen: Number of the version; by default the best of those that were validated on the same
            data as the newest.
        force: Promote the version even though the baseline or the champion is better, or the
            champion was validated on other data.
        reason: Why, for the history; added to what is known of it.
        data: A data set on whose validation posters the version and the champion are measured
            again; by default they are compared by what is known of them.
        bar: Makes a progress bar for each model that is measured.
        task: What the networks are for.

    Returns:
        The champion's version, and lines that compare it and say what was done.

    Raises:
        RegistryError: If there is nothing to promote, or the baseline or the champion is better; or
            if a version can't be measured on the data set.
    """
    known = read_history(task)
    versions = {str(version.version): version for version in registered_versions(task)}
    existing = {number: _Candidate.of(one, metric) for number, one in versions.items()}
    best = _choose(task, existing, metric, chosen, unvalidated=force or data is not None)
    standing = current_champion(task)
    champion = None if standing is None else _Candidate.of(standing, metric)
    stays = champion is not None and champion.number == best.number
    if data is not None and not (stays and best.validated_on(data)):
        best = best.measured_on(data, bar)
        champion = best if stays else champion and champion.measured_on(data, bar)
    objection = None if stays else _objection(best, champion)
    if objection and not force:
        ways = "--force does it all the same"
        if not _comparable(best, champion):
            ways = f"--data DATA measures both on the same posters, {ways}"
        raise RegistryError(f"{best} was not promoted: {objection}; {ways}")
    version = versions[best.number]
    bundled, uncompared = _compare(version, best, data, bar)
    lines = _comparison(best, champion, bundled, uncompared)
    if bundled is not None:
        bundled.keep(best.number, task)
    elif stays:
        # What it was compared by before decides as it did.
        bundled = Comparison.of(version)
    else:
        forget(version)
    default = _by_default(task, best.number, bundled)
    if stays:
        return best.number, "\n".join([*lines, f"{best} is the champion already, {default}"])
    why = f"forced, though {objection}" if objection else best.measure
    if champion and not objection:
        why += f" (version {champion.number}: {champion.measure})"
    change = Change(
        from_version=champion and champion.number,
        to_version=best.number,
        reason=_joined(why, reason),
        metric=metric,
        from_value=champion and champion.value,
        to_value=best.value,
        data=best.data,
    )
    known[record(change, task)] = change
    changes = read_history(task)
    meanwhile = {changes[tag].to_version for tag in changes.keys() - known.keys()} - {best.number}
    if meanwhile and not force:
        # This version was not compared with those.
        rivals = [existing[number] for number in meanwhile & existing.keys()]
        return promote(metric, _best([best, *rivals]).number, False, reason, data, bar, task)
    now = str(current_champion(task).version)
    outcome = (
        f"{best} is the champion now, {default}"
        if now == best.number
        else f"version {now}, promoted at the same time, is the champion now"
    )
    return now, "\n".join([*lines, outcome])


def rollback(reason: str | None = None, task: Task = RECOLORING) -> tuple[str, str]:
    """Give the alias back to the version that had it before.

    Args:
        reason: Why, for the history.
        task: What the networks are for.

    Returns:
        The champion's version, and a line that says what was done.

    Raises:
        RegistryError: If there was none.
    """
    champion = current_champion(task)
    standing = None if champion is None else str(champion.version)
    # Not a deleted one, nor the champion itself, which a crash during a promotion may leave there.
    versions = {str(version.version): version for version in registered_versions(task)}
    candidates = {number: one for number, one in versions.items() if number != standing}
    former = [version for version in former_champions(task) if version in candidates]
    if not former:
        raise RegistryError(f"{task.model} has no earlier champion to go back to")
    number = former[-1]
    record(Change(standing, number, _joined("rolled back", reason), rollback=True), task)
    default = _by_default(task, number, Comparison.of(candidates[number]))
    return number, f"version {number} is the champion again, {default}"


@dataclass(frozen=True)
class _Candidate:
    """A version, and what ranks it.

    Attributes:
        task: What it is for.
        number: Its number.
        metric: What it is ranked by.
        data: The digest of the data set that it was validated on.
        measured: What was measured there, as `recolor.evaluation.validation` returns it.
        place: The posters that it was measured on, in words.
        may_know: Whether it may have learned from these posters.
    """

    task: Task
    number: str
    metric: str
    data: str | None
    measured: Measured
    place: str = "the validation posters"
    may_know: bool = False

    @classmethod
    def of(cls, version: ModelVersion, metric: str) -> _Candidate:
        """Take what was measured when a version was registered."""
        data = version.tags.get(DATA_TAG)
        measured = validated_metrics(version.tags)
        return cls(task_of(version), str(version.version), metric, data, measured)

    def validated_on(self, data: DatasetInfo) -> bool:
        """Whether its metric on a data set is known."""
        return self.data == data.digest and self.value is not None

    def measured_on(self, data: DatasetInfo, bar: Bar) -> _Candidate:
        """Measure the version again."""
        # Only here, since it takes TensorFlow.
        from recolor.platform.registry.revalidation import may_know, validate_version

        place = f"the validation posters of {data.folder}"
        with bar(data.count("validation"), f"measuring version {self.number}") as shown:
            measured = validate_version(data, self.task, self.number, shown.update)
        if ranking(measured, self.metric) is None:
            raise RegistryError(f"version {self.number} has no {self.metric} on {place}")
        known = may_know(data, version_uri(self.number, self.task))
        return _Candidate(self.task, self.number, self.metric, data.digest, measured, place, known)

    @property
    def value(self) -> float | None:
        """Its metric; None if it was not validated."""
        return ranking(self.measured, self.metric)

    @property
    def measure(self) -> str:
        """Its metric, and how it answered, in words."""
        return ranking_in_words(self.measured, self.metric)

    @property
    def baselines(self) -> dict[str, float]:
        """The metric of each baseline by its name, where it was measured."""
        values = {
            name: self.task.baseline(self.measured, baseline, self.metric)
            for baseline, name in self.task.baselines.items()
        }
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        return f"version {self.number} ({self.measure})"

    def loses_to(self, value: float | None) -> bool:
        """Whether a value is known, and better than its own."""
        if value is None or self.value is None:
            return False
        return measure_of(self.metric).is_better(value, than=self.value)


def _choose(
    task: Task,
    existing: dict[str, _Candidate],
    metric: str,
    chosen: str | None,
    unvalidated: bool,
) -> _Candidate:
    """Return the chosen version, which may be one that is not validated, or else the best one."""
    versions = {name: v for name, v in existing.items() if v.value is not None}
    if chosen in existing and unvalidated:
        return existing[chosen]
    if not versions:
        raise RegistryError(
            f"no version of {task.model} has a validated {metric}: train one first"
            + ", or measure one with --version and --data" * bool(existing)
        )
    if chosen is None:
        newest = versions[max(versions, key=int)]
        return _best([newest, *versions.values()])
    if chosen not in versions:
        raise RegistryError(f"{task.model} has no version {chosen} with a validated {metric}")
    return versions[chosen]


def _best(candidates: Sequence[_Candidate]) -> _Candidate:
    """Return the best of those that were validated on the same data as the first one."""
    first = candidates[0]
    rivals = [v for v in candidates if v.value is not None and v.data == first.data]
    sign = -1 if measure_of(first.metric).direction == HIGHER else 1
    # Among equals the oldest, so that nothing changes without a gain.
    return min(rivals, key=lambda v: (sign * v.value, int(v.number)))


def _compare(
    version: ModelVersion, best: _Candidate, data: DatasetInfo | None, bar: Bar
) -> tuple[Comparison | None, str]:
    """Compare a version with the bundled network; say why, if that can't be done."""
    try:
        return compare(version, best.metric, best.value, best.data, data, bar), ""
    except RecolorError as error:
        return None, first_line(error)


def _by_default(task: Task, number: str, bundled: Comparison | None) -> str:
    """Say of a champion whether it answers by default."""
    still = f"which still {task.answers} by default"
    takes = f"--model {task.champion} takes version {number}"
    if bundled is None:
        return (
            f"but was not compared with the bundled {task.network}, {still}: "
            f"`{task.promote} --data DATA` compares them, {takes}"
        )
    if bundled.won:
        return f"and {task.answers} by default"
    return f"but not better than the bundled {task.network} ({bundled.told}), {still}: {takes}"


def _comparison(
    best: _Candidate, champion: _Candidate | None, bundled: Comparison | None, uncompared: str
) -> list[str]:
    """Compare a version with the champion, the bundled network and answers without a model."""
    task, measure = best.task, measure_of(best.metric)
    compared = [f"candidate: {best}", f"champion: {champion or 'none yet'}"]
    if bundled is not None:
        compared.append(f"bundled {task.network}: {bundled.told}")
    compared += [
        f"{name.removeprefix('the ')}: {value:.4g}"
        for name, value in reversed(best.baselines.items())
    ]
    lines = [f"{measure.label}, {measure.direction} is better, on {best.place}:"]
    lines += [f"  {words}" for words in compared]
    for one in {version.number: version for version in (best, champion) if version}.values():
        if task is RECOLORING and one.value is not None and not one.baselines:
            lines.append(
                f"version {one.number} was registered before validation told the palette and "
                "measured gray: it is ranked by its free answer; train it again to compare"
            )
        if one.may_know:
            lines.append(f"warning: version {one.number} {MAY_KNOW}")
    if bundled is None:
        lines.append(f"not compared with the bundled {task.network}: {uncompared}")
    elif bundled.may_know:
        lines.append(f"warning: the bundled {task.network} {MAY_KNOW}")
    for name, value in best.baselines.items():
        if best.loses_to(value):
            lines.append(f"warning: {name} is better than version {best.number}")
    return lines


def _objection(best: _Candidate, champion: _Candidate | None) -> str | None:
    baseline = next(iter(best.task.baselines.values()))
    value = best.baselines.get(baseline)
    if best.loses_to(value):
        return f"{baseline} is better ({value:.4g})"
    if champion is None:
        return None
    if champion.value is None:
        return f"the champion, version {champion.number}, has no validated {champion.metric}"
    if champion.data != best.data:
        return f"the champion, version {champion.number}, was validated on other data"
    if best.loses_to(champion.value):
        return f"the champion, {champion}, is better"
    return None


def _comparable(best: _Candidate, champion: _Candidate | None) -> bool:
    return champion is None or (champion.value is not None and champion.data == best.data)


def _joined(why: str, reason: str | None) -> str:
    return f"{why}; {reason}" if reason else why
