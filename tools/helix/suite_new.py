# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix new, in a copy of the checkout: what it makes is tested and linted there, and loaded in a
system; what it refuses, it leaves nothing of. Of the copy only what that needs is built."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helix import build, check, copies, guest, keys, new, packages, paths, programs, qemu, ratchets, rootfs, suite_keys, suite_scenario
from helix.report import Context, Failed, Job, Verdict

_TREE = paths.OUT / "new"
_PAGE = "docs/modules.md"
_LIMIT_S = 300
# What is made of each skeleton, beside what the page makes, and what its README's command must print.
_MADE = {"block": ("made_disk", "made_disk"),
         "char": ("a_rather_long_name_of_a_module1", r"hello from a_rather_long_name_of_a_module1\n"),
         "fs": ("madefs", r"hello\nhello from madefs, mounted at second \d+\n"),
         "sched": ("m", r"policy m chosen\n")}
# Words behind "new", the status, and what the one line must say.
_REFUSED = {
    "module": (2, r"required: NAME"),
    "thing x": (2, r"invalid choice: 'thing'"),
    "module made": (2, r"--port is missing; there is helix\.block, helix\.char, helix\.fs, helix\.sched"),
    "module made --port helix.nothing": (2, r"no skeleton for it; there is helix\.block, helix\.char, helix\.fs, helix\.sched"),
    "module made --port char": (2, r"no skeleton for it; there is helix\.block, helix\.char, helix\.fs, helix\.sched"),
    "module made --port helix.": (2, r"no skeleton for it; there is helix\.block, helix\.char, helix\.fs, helix\.sched"),
    "module made --port helix.console": (2, r"has no skeleton: a line is a device's; .*pl011"),
    "module made --port helix.bus": (2, r"has no skeleton: programs provide it; docs/services\.md"),
    "module Made --port helix.char": (2, r"'Made' is no name of a module: small letters"),
    "module 1made --port helix.char": (2, r"'1made' is no name"),
    "module int --port helix.char": (2, r"'int' is a word of C"),
    "module ../made --port helix.char": (2, r"'\.\./made' is no name"),
    "module made_ --port helix.char": (2, r"'made_' is no name"),
    f"module {'x' * 32} --port helix.char": (2, r"is no name of a module: .*31 at most"),
    "module ramfs --port helix.char": (1, r"the name ramfs is taken by services/fs/ramfs"),
    "module lib --port helix.char": (1, r"the name lib is taken by lib;"),
    "module crumb --port helix.char": (1, r"the name crumb is taken by tests/modules"),
    "module blk --port helix.char": (1, r"the name blk is taken by the test blk_test"),
    "module list --port helix.char": (1, r"the name list is taken by lib/include/lib/list\.h"),
    "module block --port helix.char": (1, r"the name block is taken by sdk/ports/block\.port"),
    "module packages --port helix.char": (1, r"the name packages is taken; take another"),
    "port made": (1, r"no skeleton yet; by hand: write sdk/ports/made\.port"),
    "profile made": (1, r"no skeleton yet; by hand: copy profiles/minimal\.cmake to profiles/made\.cmake"),
}


@contextmanager
def _copy() -> Iterator[None]:
    """The copy as the checkout is, for us alone."""
    with (paths.ensure(paths.OUT) / "new.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        copies.refresh(_TREE)
        yield


def _call(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_TREE / "helix", *words], text=True, timeout=_LIMIT_S, check=False, stdin=subprocess.DEVNULL,
                          capture_output=True)


def _files() -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(_TREE.rglob("*"))
            if file.is_file() and "out" not in file.parts[len(_TREE.parts):] and "__pycache__" not in file.parts}


def _refuses(words: str, code: int, expected: str) -> None:
    before = _files()
    done = _call(["new", *words.split()])
    if done.returncode != code or done.stdout or done.stderr.count("\n") != 1 or not re.search(expected, done.stderr):
        raise Failed(f"./helix new {words}: status {done.returncode}, not {code} and one line with /{expected}/",
                     done.stdout + done.stderr)
    if _files() != before or list(_TREE.glob("services/*/.new*")):
        raise Failed(f"./helix new {words} leaves something", done.stderr)


def _check_refusals() -> None:
    for words, (code, expected) in _REFUSED.items():
        _refuses(words, code, expected)
    here = "module made --port helix.char"
    (_TREE / "services/drv/made").mkdir()
    _refuses(here, 1, r"there is services/drv/made already")
    (_TREE / "services/drv/made").rmdir()
    shutil.rmtree(_TREE / "services/drv")
    (_TREE / "services/drv").write_text("in the way")
    _refuses(here, 1, r"services/drv/made cannot be made: File exists")
    (_TREE / "services/drv").unlink()
    (_TREE / "sdk/templates/char/zzz").symlink_to("nothing")  # when the others are made
    _refuses(here, 1, r"services/drv/made cannot be made: No such file")
    shutil.rmtree(_TREE / "sdk/templates")
    _refuses(here, 1, r"new needs a whole checkout")


def _page_commands() -> list[list[str]]:
    """The first block of commands of the page: new, test, build, run."""
    block = re.search(r"(?:^    .*\n)+", (_TREE / _PAGE).read_text(), re.M)
    lines = block.group(0).splitlines() if block else []
    commands = [re.findall(r"'([^']*)'|(\S+)", line) for line in lines]
    found = [[quoted or plain for quoted, plain in command] for command in commands]
    if [command[:2] for command in found] != [["./helix", word] for word in ("new", "test", "build", "run")]:
        raise Failed(f"{_PAGE} does not begin with ./helix new, test, build and run")
    return found


def _new(words: list[str]) -> list[Path]:
    done = _call(words)
    made = [_TREE / line for line in done.stdout.splitlines()]
    if done.returncode or len(made) < 4 or not all(file.is_file() for file in made):
        raise Failed(f"./helix {' '.join(words)} ends with status {done.returncode}", done.stdout + done.stderr)
    return made


def _lint(files: list[Path], folder: Path) -> None:
    """What ./helix check would say of them."""
    names = [str(file.relative_to(_TREE)) for file in files]
    sources = [name for name in names if name.endswith((".c", ".h"))]
    found = [problem for file, name in zip(files, names) for problem in ratchets.problems(name, file.read_text())]
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *sources], cwd=_TREE, text=True, check=False,
                          capture_output=True)
    found += done.stderr.splitlines()
    found += [line for name in sources if "/tests/" not in name for line in check.tidy_one(folder, name, _TREE)]
    found += [f"{name}: is about a skeleton" for file, name in zip(files, names) if "skeleton" in file.read_text().lower()]
    if found:
        raise Failed("./helix check would not take what was made", "\n".join(found))


def _package(name: str, options: Namespace) -> bytes:
    folder = build.configure_and_build(options.arch, options.profile, _TREE, [f"package_{name}"])
    return (folder / "modules" / f"{name}.hxm").read_bytes()


def _check_image(name: str, folder: Path) -> None:
    """What no profile names is not in the image."""
    done = subprocess.run(["ninja", "-C", str(folder), "-t", "inputs", "helix.elf"], text=True,
                          check=False, capture_output=True)
    if "libramfs.a" not in done.stdout or f"lib{name}.a" in done.stdout:
        raise Failed(f"{name} is in the image, or nothing is", done.stdout[-2000:] + done.stderr)


def _test_hosted(names: list[str]) -> None:
    done = _call(["test", "--yes", *(f"unit/{name}_test" for name in names)])
    if done.returncode or f"{len(names)} passed, 0 failed" not in done.stdout:
        raise Failed("the tests of what was made do not pass", done.stdout + done.stderr)


def _changed(name: str, options: Namespace) -> bytes:
    """The package with another greeting."""
    source = _TREE / "services/drv" / name / f"{name}.c"
    source.write_text(source.read_text().replace("hello from", "hello again from"))
    return _package(name, options)


def _foreign(name: str, options: Namespace) -> tuple[bytes, str]:
    """The package signed by --key FILE, and how the kernel must refuse it."""
    own = _TREE / "out" / "own.key"
    keys.make(own)
    code = ("from helix import build, keys; import sys; from pathlib import Path; keys.use(sys.argv[1]); "
            "build.configure_and_build(*sys.argv[2:4], Path(sys.argv[4]), sys.argv[5:])")
    done = subprocess.run([sys.executable, "-c", code, own, options.arch, options.profile, _TREE, f"package_{name}"],
                          cwd=_TREE, env={**os.environ, "PYTHONPATH": str(_TREE / "tools")}, text=True, check=False,
                          capture_output=True)
    folder = paths.build_dir(options.arch, options.profile)
    package = (_TREE / folder.relative_to(paths.TOP) / "modules" / f"{name}.hxm").read_bytes()
    public = keys.public(own, folder / "pack")
    if done.returncode or suite_keys.signer(package).hex() != public:
        raise Failed("--key FILE does not sign", done.stdout + done.stderr)
    ours = keys.public(keys.of(options.profile), folder / "pack")
    return package, f"expected a signature by key {ours[:16]}, found one by {public[:16]}"


def _run_inside(context: Context, brought: dict[str, bytes], scripts: list[tuple[str, str]]) -> None:
    """In one boot, with packages: what each script must print, as a pattern."""
    archive = rootfs.with_services(rootfs.with_runner(rootfs.base()), context.kernel or Path())
    for name, data in brought.items():
        archive.file(f"lib/helix/{name}.hxm", data)
    with qemu.Initrd(archive.bytes()) as initrd, suite_scenario.start(context, initrd, 2, "tool-new-module") as inside:
        try:
            inside.wait_ready()
            for script, expected in scripts:
                outcome = inside.run(["sh", "-c", script], b"", limit_s=60)
                said = (outcome.out + outcome.err).decode(errors="replace")
                if outcome.code or not re.fullmatch(expected, said):
                    raise Failed(f"'{script}' ends with {outcome.code} and does not say /{expected}/", said + inside.report())
            inside.power_off()
        except guest.Died as died:
            raise Failed(str(died), inside.report()) from None


def _check_modules(context: Context) -> None:
    options = context.options
    packages.need(packages.BUILD, packages.HOSTED, packages.CHECK, yes=options.yes)
    page = _page_commands()
    key = keys.of(options.profile, _TREE)
    key.write_bytes(keys.of(options.profile).read_bytes())  # what the kernel at hand takes
    hello = page[0][3]
    files = {hello: _new(page[0][1:])}
    for port, (name, _) in _MADE.items():
        files[name] = _new(["new", "module", name, "--port", f"helix.{port}"])
    if page[1] != ["./helix", "test", f"unit/{hello}_test"]:
        raise Failed(f"{_PAGE} tests something else than it makes")
    _test_hosted(list(files))
    brought = {name: _package(name, options) for name in files}
    folder = build.configure(options.arch, options.profile, _TREE)
    for made in files.values():
        _lint(made, folder)
    _check_image(hello, folder)
    brought["again"] = _changed(hello, options)
    text = (_TREE / _PAGE).read_text()
    shown = re.search(r"(?m)^```\n(.*?)^```$", text, re.S)
    scripts = [(page[3][-1], re.escape(shown.group(1)) if shown else "")]
    instead = re.search(r"(?m)^    (hxmod swap .*)$", text)
    scripts.append((f"{instead.group(1).replace(f'{hello}.hxm', 'again.hxm') if instead else 'false'}; cat /dev/{hello}",
                    rf"hello again from {hello}\n"))
    for name, expected in _MADE.values():
        own = next(file for file in files[name] if file.name == "README.md").read_text()
        scripts += [(script, expected) for script in re.findall(r"(?m)^    \./helix run -- sh -c '(.*)'$", own)]
    brought["foreign"], refusal = _foreign(hello, options)
    scripts.append((f"hxmod load /lib/helix/foreign.hxm 2>&1 | grep -o '{refusal[:8]}.*[0-9a-f]'", f"{refusal}\n"))
    if len(scripts) != 3 + len(_MADE) or set(_MADE) != set(new.ports()):
        raise Failed("a skeleton is not tried in a system")
    _run_inside(context, brought, scripts)


def _run(context: Context, names: list[str]) -> Iterator[Verdict]:
    programs.need(context.options.yes)
    for name, body in (("tool/new-module", lambda: _check_modules(context)), ("tool/new-refuses", _check_refusals)):
        if name in names:
            failure = Failed("")
            try:
                with _copy():
                    body()
            except Failed as failed:
                failure = failed
            yield Verdict(name, str(failure), failure.detail)


def jobs(_: Namespace) -> list[Job]:
    return [Job(["tool/new-module", "tool/new-refuses"], _run)]
