# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the host must have, from Debian: programs that are installed, and packages that are only
unpacked below out/cache (so that they never replace something of the user's)."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from helix import paths, targets, ui

_lock = threading.Lock()

# A need: the package, and a program or a file that shows that it is there.
_CLANG_RT = "/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.asan-x86_64.a"
BUILD = {
    "clang-19": "clang-19", "lld-19": "ld.lld-19", "llvm-19": "llvm-ar-19", "cmake": "cmake",
    "ninja-build": "ninja", "bzip2": "bzip2", "gcc": "gcc", "libc6-dev": "/usr/include/stdio.h",
}
USER = {"gcc": "gcc", "libc6-dev": "/usr/include/stdio.h", "make": "make"}
ISO = {"grub-common": "grub-mkrescue", "grub-pc-bin": "/usr/lib/grub/i386-pc/kernel.img",
       "xorriso": "xorriso", "mtools": "mformat"}
HOSTED = {"libclang-rt-19-dev": _CLANG_RT}
CHECK = {"clang-format-19": "clang-format-19", "clang-tidy-19": "clang-tidy-19",
         "mypy": "mypy"}
VALGRIND = {"valgrind": "valgrind"}
SPIN = {"spin": "spin"}
SOURCES = {"dpkg-dev": "dpkg-source"}


def run() -> dict[str, str]:
    """The emulator."""
    return {targets.current().package: targets.current().emulator}


def debug() -> dict[str, str]:
    """The debugger for it; the package has the program's name."""
    return dict.fromkeys(targets.current().gdb[:1], targets.current().gdb[0])


def _present(sign: str) -> bool:
    return Path(sign).exists() if sign.startswith("/") else shutil.which(sign) is not None


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise ui.Failure("installing packages needs root, and there is no sudo")


def _apt(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [*_as_root(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *arguments]
    return subprocess.run(command, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def need(*groups: dict[str, str], yes: bool) -> None:
    """Makes sure that the packages of the groups are there; asks before it installs."""
    wanted = {package: sign for group in groups for package, sign in group.items()}
    missing = sorted(package for package, sign in wanted.items() if not _present(sign))
    if not missing:
        return
    names = " ".join(missing)
    if not shutil.which("apt-get"):
        raise ui.Failure(f"missing: {names}; there is no apt-get here to install them")
    if not ui.agree(f"missing: {names}. Install with apt?", yes):
        raise ui.Failure(f"missing: {names}; run 'apt-get install {names}', or ./helix with --yes")
    ui.say(f"helix: installing {names}")
    install = ["install", "-y", "--no-install-recommends", *missing]
    done = _apt(install)
    if done.returncode != 0:
        _apt(["update"])
        done = _apt(install)
    if done.returncode != 0:
        raise ui.Failure(f"apt could not install {names}", done.stdout[-4000:])


_HOST = "amd64"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The first release that has the machine, by its names: of a mirror that is just being renewed one may be whole.
_LATER = {"riscv64": ("trixie", "stable")}
_LINUX = {"riscv64": "linux-image-riscv64"}  # where there is no cloud kernel


def _run_apt(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=paths.ensure(paths.CACHE), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)


def _lists(words: list[str], field: str, *those: str) -> list[str]:
    """A field of each list of packages that apt has a source for; of those that have what is said, if something is."""
    done = subprocess.run([*words, "indextargets", "--format", f"$({field})", "Created-By: Packages", *those], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.split()


def _site() -> str:
    """Where the system gets its own Debian."""
    found = _lists(["apt-get"], "SITE", "Codename: bookworm")
    if not found:
        raise ui.Failure("apt knows no site of Debian 12")
    return found[0]


def _own(debian: str) -> Path:
    return paths.CACHE / f"apt-{debian}"


def _apt_words(debian: str) -> list[str]:
    """apt-get; for another machine's Debian with lists of its own, so that the system's stay, and
    for a later release with sources of its own."""
    words = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
    if debian != _HOST:
        own = _own(debian)
        if debian in _LATER:
            words += ["-o", f"Dir::Etc::sourcelist={own / 'sources.list'}",
                      "-o", "Dir::Etc::sourceparts=/dev/null"]
        for folder in ("lists/partial", "cache/archives/partial"):
            paths.ensure(own / folder)
        words += ["-o", f"APT::Architecture={debian}", "-o", f"APT::Architectures::={debian}",
                  "-o", f"Dir::State::lists={own / 'lists'}", "-o", f"Dir::Cache={own / 'cache'}",
                  "-o", "Dir::State::status=/dev/null"]
    return words


def _take_from(debian: str, release: str) -> None:
    (_own(debian) / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_site()} {release} main\n")


def _update_later(debian: str) -> str:
    """Takes the lists of a later release under the first of its names for which apt gets them whole, and which still
    means that release."""
    said = ""
    release, *_ = names = _LATER[debian]
    words = _apt_words(debian)
    for name in names:
        _take_from(debian, name)
        done = _run_apt([*words, "update"])
        if done.returncode == 0 and set(_lists(words, "CODENAME")) == {release}:
            return ""
        said += done.stdout if done.returncode else f"{name} is not {release}\n"
    _take_from(debian, release)  # lists that were whole once may be there
    return said


def _update(debian: str) -> str:
    """Renews apt's lists. Gives what apt said if it could not."""
    if debian in _LATER:
        return _update_later(debian)
    done = _apt(["update"]) if debian == _HOST else _run_apt([*_apt_words(debian), "update"])
    return done.stdout if done.returncode else ""


def _try(words: list[str], debian: str, what: str) -> str:
    """Runs apt; once more with fresh lists, if it does not know what is wanted."""
    done = _run_apt(words)
    if done.returncode:
        said = _update(debian)
        done = _run_apt(words)
        if done.returncode:
            raise ui.Failure(f"apt could not {what} of {debian}", (said + done.stdout)[-4000:])
    return done.stdout


def _download(package: str, debian: str) -> None:
    _try([*_apt_words(debian), "download", package], debian, f"download {package}")


def _archive(package: str, debian: str) -> Path | None:
    found = sorted([*paths.CACHE.glob(f"{package}_*_{debian}.deb"),
                    *paths.CACHE.glob(f"{package}_*_all.deb")])
    return found[-1] if found else None


def unpacked(package: str, debian: str = "") -> Path:
    """The contents of a package of a machine's Debian (the target's, if it does not say), in
    out/cache/PACKAGE. apt checks what it downloads."""
    debian = debian or targets.current().debian
    folder = paths.CACHE / (package if debian == _HOST else f"{package}-{debian}")
    with _lock:
        return folder if folder.is_dir() else _unpack(package, debian, folder)


def _unpack(package: str, debian: str, folder: Path) -> Path:
    if _archive(package, debian) is None:
        ui.stage(f"downloading {package}")
        _download(package, debian)
        ui.progress_done()
    fresh = paths.CACHE / f".{package}.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    done = subprocess.run(["dpkg-deb", "-x", str(_archive(package, debian)), str(fresh)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ui.Failure(f"cannot unpack {package}; remove it from {paths.CACHE}", done.stdout)
    try:
        fresh.rename(folder)
    except OSError:
        shutil.rmtree(fresh)
        if not folder.is_dir():
            raise
        # else another ./helix was faster
    return folder


def busybox(debian: str = "") -> Path:
    """Debian's static busybox; later releases have it below /usr."""
    folder = unpacked("busybox-static", debian)
    return next(path for path in (folder / "bin/busybox", folder / "usr/bin/busybox") if path.exists())


def busybox_here() -> Path:
    """One that runs on this machine, and has the same programs."""
    return busybox(_HOST)


def closure(names: list[str], debian: str) -> list[Path]:
    """The packages and all that they depend on, downloaded; as apt would install them where nothing is."""
    own = paths.CACHE / f"root-{debian}"
    archives = paths.ensure(own / "archives" / "partial").parent
    words = [*_apt_words(debian), "-o", "Dir::State::status=/dev/null", "-o", f"Dir::Cache={own}", "-o",
             "Debug::NoLocking=1", "-o", "APT::Install-Recommends=0", "-y", "install"]
    ui.stage(f"downloading {', '.join(names)}, and what they need")
    what = f"download {', '.join(names)}"
    _try([*words, "--download-only", *names], debian, what)
    listed = _try([*words, "--simulate", *names], debian, what)
    ui.progress_done()
    # "Inst libc6 (2.36-9 Debian:12.1/stable [amd64])"
    found = re.findall(r"^Inst (\S+) \((\S+) [^\n]*\[(\w+)\]", listed, re.M)
    return [archives / f"{name}_{version.replace(':', '%3a')}_{arch}.deb" for name, version, arch in found]


def _source_words() -> list[str]:
    """apt-get with lists of sources only, beside the system's."""
    own = paths.CACHE / "apt-sources"
    for folder in ("lists/partial", "cache/archives/partial"):
        paths.ensure(own / folder)
    (own / "sources.list").write_text(f"deb-src [signed-by={_KEYS}] {_site()} bookworm main\n")
    return ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "-o", f"Dir::Etc::sourcelist={own / 'sources.list'}",
            "-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={own / 'lists'}", "-o",
            f"Dir::Cache={own / 'cache'}", "-o", "Dir::State::status=/dev/null"]


def source(package: str, version: str) -> Path:
    """A package's source as Debian builds it, patches applied, in out/cache/PACKAGE-VERSION. apt checks what it
    downloads, so dpkg-source need not."""
    folder = paths.ensure(paths.CACHE) / f"{package}-{version}"
    with _lock:
        if folder.is_dir():
            return folder
        ui.stage(f"downloading the source of {package}")
        words = [*_source_words(), "source", "--download-only", f"{package}={version}"]
        done = _run_apt(words)
        if done.returncode:
            said = _run_apt([*_source_words(), "update"])
            done = _run_apt(words)
            if done.returncode:
                raise ui.Failure(f"apt could not download the source of {package}", (said.stdout + done.stdout)[-4000:])
        ui.progress_done()
        fresh = paths.CACHE / f".{package}.{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        done = _run_apt(["dpkg-source", "--no-check", "-x", f"{package}_{version}.dsc", str(fresh)])
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise ui.Failure(f"cannot unpack the source of {package}; remove it from {paths.CACHE}", done.stdout)
        fresh.rename(folder)
        return folder


def depends(package: str, debian: str) -> list[str]:
    """The names in a package's Depends field, in order; none, if apt has not heard of it."""
    words = ["apt-cache", *_apt_words(debian)[2:], "show", "--no-all-versions", package]
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("Depends:"):
            return [entry.split()[0] for entry in line[8:].split(",")]
    return []


def linux_kernel() -> Path:
    """Debian's kernel for the machine, its cloud kernel if there is one: the yardstick of the benchmarks and the
    judge of the tests. What is packed is called vmlinuz-*, what is not may be vmlinux-*."""
    debian = targets.current().debian
    link = paths.CACHE / ("linux-cloud" if debian == _HOST else f"linux-{debian}")
    if not link.exists():
        package = _LINUX.get(debian, f"linux-image-cloud-{debian}")
        names = depends(package, debian)
        if not names:
            _update(debian)
            names = depends(package, debian)
        if not names:
            raise ui.Failure(f"apt does not know {package}")
        paths.ensure(paths.CACHE)
        image = next((unpacked(names[0]) / "boot").glob("vmlinu[xz]-*"))
        link.symlink_to(image.relative_to(paths.CACHE))
    return link
