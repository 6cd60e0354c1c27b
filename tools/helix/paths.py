# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where things are."""

from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OUT = TOP / "out"
CACHE = OUT / "cache"  # what was downloaded
LOGS = OUT / "logs"  # kernels' logs


def build_dir(preset: str, profile: str = "minimal") -> Path:
    return OUT / f"{preset}-{profile}"


def kernel_file(arch: str, profile: str) -> Path:
    return build_dir(arch, profile) / "helix.elf"


def ensure(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
