"""Prints the settings of this machine's pip as exports of uv's variables, for the shell.

uv does not read pip's settings: it would ask PyPI where pip asks a company's mirror. What the machine has set for uv itself
counts first. With a setting that is not known here it fails, and pip installs.
"""

import ast
import os
import shlex
import subprocess
import sys

AS_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "no-cache-dir": "UV_NO_CACHE",
}
# Names of older versions of uv, which it still reads.
OLD = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
OF_PIP_ALONE = {
    "cache-dir", "config-file", "disable-pip-version-check", "no-color", "no-compile", "no-input",
    "no-python-version-warning", "no-warn-script-location", "progress-bar", "quiet", "require-virtualenv", "retries",
    "root-user-action", "break-system-packages", "user", "verbose",
}
PLACES = [":env:", "install", "global"]  # of pip; the first counts


def settings():
    """The values of each setting of pip that uv is to have too, by its name."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if listed.returncode != 0:
        sys.exit("tools: python3 has no pip that works: on Debian, apt install python3-pip\n" + listed.stderr.strip())
    found = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        place, _, name = key.rpartition(".")
        if place not in PLACES or name in OF_PIP_ALONE:
            continue
        if name not in AS_UV:
            sys.exit(f"tools: uv has nothing like pip's setting {name}: pip installs instead")
        found.setdefault(name, {})[PLACES.index(place)] = ast.literal_eval(value).split()
    return {name: by[min(by)] for name, by in found.items()}


def exports():
    env = {}
    for name, values in settings().items():
        if name == "find-links":  # uv fails where a folder is missing, and pip does not
            values = [v for v in values if "://" in v or os.path.exists(v)]
        env[AS_UV[name]] = ("," if name == "find-links" else " ").join(values)
    if env.get("UV_INDEX"):
        env["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip, which takes a version from whichever index has it
    for name, value in sorted(env.items()):
        if value and name not in os.environ and OLD.get(name, "") not in os.environ:
            print(f"export {name}={shlex.quote(value)}")


exports()
