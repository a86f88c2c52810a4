"""Requests to the served model with something wrong in them, by chance."""

import base64
import json
import random
from urllib.parse import urlencode

JSON = "application/json"
# What may stand in the place of any value.
STRANGE = (
    None, True, False, 0, -1, 1e308, -1e308, 10**400, 0.1, "", " ", "\0", "é\ud83d\ude00", "nan",
    "null", "[]", [], {}, [[]], [None], {"a": None}, [1, 2], "A" * 5000, "#12", "999999999",
    float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
PARAMETERS = (
    "palette", "strength", "temperature", "vividness", "neutrals", "hint", "suggestions", "",
    "no_such_parameter",
)  # fmt: skip
TYPES = (JSON, JSON, JSON, "text/csv", "text/plain", "image/jpeg", "", "application/x-www-form",
         "application/json; charset=utf-16", "multipart/form-data")  # fmt: skip


def bad_request(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    """Make a request that is most likely wrong.

    Args:
        rng: The source of chance.
        picture: A right picture's file.

    Returns:
        Its content type and its body.
    """
    kind = rng.choice(KINDS)
    return kind(rng, picture)


def bad_recoloring(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    """Make a request to the API of `recolor serve` that is most likely wrong.

    Returns:
        Its path, with a query, and its body.
    """
    path = rng.choice(("/recolor", "/recolor", "/pictures", f"/pictures/{'0' * 64}/recolored"))
    names = rng.sample(
        (*PARAMETERS, "palette", "hint", "format", "side", "restore"), rng.randint(0, 3)
    )
    values = [(name, str(rng.choice((*STRANGE, "red,blue", "5,5=red", "png")))) for name in names]
    query = urlencode(values, errors="replace")
    body = rng.choice((picture, b"", rng.randbytes(999), picture[: rng.randrange(len(picture))]))
    return f"{path}?{query}", body


def right_request(picture: bytes) -> tuple[str, bytes]:
    """Make a request that is right."""
    return JSON, _body({"inputs": {"image": [_text(picture)]}})


def _strange_parameters(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    names = rng.sample(PARAMETERS, rng.randint(1, 3))
    parameters = {name: rng.choice(STRANGE) for name in names}
    return JSON, _body({"inputs": {"image": [_text(picture)]}, "params": parameters})


def _strange_value(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    """Put something strange in the place of one value, or one name."""
    content = {"inputs": {"image": [_text(picture)]}, "params": {"vividness": 0.5}}
    place = rng.randrange(6)
    strange = rng.choice(STRANGE)
    if place == 0:
        content["inputs"] = strange
    elif place == 1:
        content["inputs"] = {"image": strange}
    elif place == 2:
        content["inputs"] = {"image": [_text(picture), strange]}
    elif place == 3:
        content["params"] = strange
    elif place == 4:
        content = {str(strange): content["inputs"]}
    else:
        content = strange
    return JSON, _body(content)


def _other_form(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    """Use another of the forms that MLflow knows, well or not."""
    text = rng.choice((_text(picture), rng.choice(STRANGE)))
    content = rng.choice(
        (
            {"dataframe_split": {"columns": ["image"], "data": [[text]]}},
            {"dataframe_split": {"columns": ["picture"], "data": [[text]]}},
            {"dataframe_split": {"columns": ["image", "b"], "data": [[text]]}},
            {"dataframe_split": {"data": [[text]]}},
            {"dataframe_records": [{"image": text}, {"b": text}]},
            {"dataframe_records": {"image": text}},
            {"instances": [{"image": text}]},
            {"instances": text},
            {"inputs": [text]},
            {"inputs": {"image": [[text]]}},
            {"inputs": {"image": []}},
            {"inputs": {}},
            {"inputs": {"image": [text]}, "instances": [text]},
        )
    )
    return JSON, _body(content)


def _broken_picture(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    damaged = bytearray(picture)
    for _ in range(rng.choice((1, 10, 100))):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    del damaged[rng.choice((len(damaged), rng.randrange(len(damaged)))) :]
    return JSON, _body({"inputs": {"image": [_text(bytes(damaged))]}})


def _broken_text(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    """Damage the base64 text."""
    text = list(_text(picture))
    for _ in range(rng.choice((1, 3))):
        text[rng.randrange(len(text))] = rng.choice("=-_ \n\0é%")
    return JSON, _body({"inputs": {"image": ["".join(text)[: rng.choice((None, 7, 100))]]}})


def _broken_json(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    body = bytearray(right_request(picture)[1])
    for _ in range(rng.choice((1, 2, 20))):
        # Its head and its tail, since the middle is the picture's.
        place = rng.choice((rng.randrange(30), len(body) - 1 - rng.randrange(10)))
        body[place] = rng.choice(b'{}[]",:\\ 0\x00\xff')
    del body[rng.choice((len(body), rng.randrange(len(body)))) :]
    return JSON, bytes(body)


def _deep(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    depth = rng.choice((50, 1000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"inputs":', b"}")))
    inner = rng.choice((b"1", b"", right_request(picture)[1]))
    return JSON, opening * depth + inner + closing * rng.choice((depth, 0))


def _many(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    """Make a body of many small values."""
    count = rng.choice((100, 2500, 200_000))
    value = rng.choice((b"[]", b"{}", b"1", b'""', b'"iVBORw0K"', b"null"))
    return rng.choice(
        (
            (JSON, b'{"inputs": {"image": [' + b",".join([value] * count) + b"]}}"),
            (JSON, b"[" + b",".join([value] * count) + b"]"),
            ("text/csv", b"image\n" + b"A\n" * count),
            ("text/csv", b"image" + b",A" * count + b"\n"),
        )
    )


def _another_type(rng: random.Random, picture: bytes) -> tuple[str, bytes]:
    body = rng.choice((right_request(picture)[1], picture, b"", b"image\nabc\n", rng.randbytes(99)))
    return rng.choice(TYPES), body


KINDS = (
    _strange_parameters, _strange_value, _other_form, _broken_picture, _broken_text, _broken_json,
    _deep, _many, _another_type,
)  # fmt: skip


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _body(content: object) -> bytes:
    # Lone surrogates and numbers that JSON does not have go as they are.
    return json.dumps(content).encode(errors="surrogatepass")
