# SPDX-License-Identifier: MIT OR Apache-2.0
"""Keys: what ./helix key makes, what the packer does with them, and that no private part gets into what a machine
boots or says. How a kernel takes them is devices/packages-* and tool/new-module."""

import stat
import subprocess
import tempfile
from pathlib import Path

from helix import build, keys, paths, targets
from helix.report import Context, Failed


def signer(package: bytes) -> bytes:
    """The public part in the trailer (docs/decisions/035-packages.md)."""
    return package[-96:-64]


def resigned(kernel: Path, name: str, key: Path) -> bytes:
    """A package that was made with the kernel, signed by another key."""
    modules = kernel.parent / "modules"
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run([kernel.parent / "pack", "sign", key, modules / f"{name}.elf", file.name], check=True)
        return Path(file.name).read_bytes()


def secret_problem(key: Path, kernel: Path, others: dict[str, bytes]) -> str:
    """Where the private part is, as bytes or as digits, among what was built and `others`; the kernel must have the public part,
    or the search finds nothing."""
    secret = key.read_bytes()
    files = [kernel, *kernel.parent.glob("helix*.elf"), *(kernel.parent / "modules").iterdir()]
    searched = {file.name: file.read_bytes() for file in files} | others
    for name, data in searched.items():
        if secret in data or secret.hex().encode() in data.lower():
            return f"the private key is in {name}"
    public = bytes.fromhex(keys.public(key, kernel.parent / "pack"))
    return "" if public in searched[kernel.name] else "the public key is not found in the kernel"


def _helix_key(file: Path, code: int) -> str:
    """With a mask that lets everybody read what is made."""
    done = subprocess.run([paths.TOP / "helix", "key", file], text=True, check=False, capture_output=True, umask=0)
    if done.returncode != code or (file.is_file() and file.read_bytes().hex() in done.stdout + done.stderr):
        raise Failed(f"./helix key ends with status {done.returncode}, not {code}, or shows the key", done.stdout + done.stderr)
    return done.stdout


def _public_of(packer: Path, words: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([packer, "public", *words], text=True, check=False, capture_output=True)


def _check_packer(folder: Path, key: Path, public: str) -> None:
    packer = build.configure_and_build(targets.current().name, "minimal", targets=["packer"]) / "pack"
    source, development = folder / "key.c", folder / "development"
    keys.make(development)
    for word, is_development in (("refuse", False), ("take", True)):
        done = _public_of(packer, [source, development if is_development else key, development, word])
        said = source.read_text()
        if done.returncode or f"module_key_is_development = {str(is_development).lower()};" not in said:
            raise Failed("the packer does not know the development key", done.stderr + said)
        if not is_development and "".join(f"0x{byte:02x}" for byte in bytes.fromhex(public)) not in "".join(said.split()).replace(",", ""):
            raise Failed("the packer gives the kernel another key", said)
    done = _public_of(packer, [source, development, development, "refuse"])
    if done.returncode == 0 or "./helix key FILE" not in done.stderr:
        raise Failed("the packer takes the development key where none is wanted", done.stderr)


def makes_keys(_: Context) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [folder / "one", folder / "two"]
        publics = [_helix_key(file, 0).strip() for file in made]
        for file in made:
            if file.stat().st_size != keys.KEY_BYTES or stat.S_IMODE(file.stat().st_mode) != 0o600:
                raise Failed(f"the key has {file.stat().st_size} bytes and mode {file.stat().st_mode:o}")
        if publics[0] == publics[1] or any(len(bytes.fromhex(public)) != 32 for public in publics):
            raise Failed("the public parts are not those of two keys", "\n".join(publics))
        before = made[0].read_bytes()
        if _helix_key(made[0], 2) or made[0].read_bytes() != before:
            raise Failed("./helix key writes over a key")
        _helix_key(folder / "nowhere" / "key", 2)
        if sorted(folder.iterdir()) != made:
            raise Failed("./helix key leaves something", "\n".join(map(str, folder.iterdir())))
        _check_packer(folder, made[0], publics[0])
