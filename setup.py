"""The repository root is the package `faceloom`, which pyproject.toml alone cannot say."""

from setuptools import find_packages, setup

setup(
    packages=["faceloom", *(f"faceloom.{name}" for name in find_packages(exclude=["tests*"]))],
    package_dir={"faceloom": "."},
    package_data={
        "": ["weights.safetensors"],
        "faceloom": ["py.typed", "workflows/*.json", "subgraphs/*.json"],
        "faceloom.ops": ["*.json"],
        "faceloom.models": ["*.json"],
    },
)
