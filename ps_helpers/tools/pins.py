"""Copy the pins of requirements.txt into environment.yml, as `make pins` does.

Binder installs pins that stand in environment.yml itself before it copies the
project, so that a commit which leaves them alone does not install them again.
"""

from pathlib import Path

PIP_SECTION = "  - pip:\n"


def read_pins(requirements):
    """Return the lines of a requirements text that pin a package."""
    lines = (line.strip() for line in requirements.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def replace_pins(environment, pins):
    """Return an environment text with these pins as its pip section, its last one.

    Raises ValueError where the text has no pip section.
    """
    head, section, _ = environment.partition(PIP_SECTION)
    if not section:
        raise ValueError(f"environment.yml has no line {PIP_SECTION!r}")
    return head + section + "".join(f"      - {pin}\n" for pin in pins)


if __name__ == "__main__":
    file = Path("environment.yml")
    pins = read_pins(Path("requirements.txt").read_text())
    file.write_text(replace_pins(file.read_text(), pins))
