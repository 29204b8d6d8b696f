"""Write docs/settings.md from the settings themselves.

uv run python scripts/settings_page.py
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path

from redzone.config.settings import Settings, variables

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

INTRODUCTION = """\
# Settings

```sh
redzone analyze posters.csv --rpm 500                       # the command line wins
VISION_REQUESTS_PER_MINUTE=500 redzone analyze posters.csv  # then the environment
echo 'OPENAI_API_KEY=sk-...' >> .env                        # then .env in the current folder
echo 'requests_per_min = 500' >> redzone.toml               # then redzone.toml, here or in a folder above
redzone config show                                         # every value, and where it comes from
```

What no source names has its default. Sources are compared setting by setting, so a variable of the
environment beats another name of the same setting in `.env`; within one source the first name in the table
wins. An empty variable counts as not set. Variables that are not in the table, such as `HOME` or `MODEL`, are
not read.

In the environment and in `.env`, lists and tables are JSON: `REDZONE_ZONES='["red", "logo=0,0.9,1,0.1"]'`.
In `redzone.toml` settings go by the names of the first column, and a name that is not there is an error:

```toml
model = "gpt-6-luna"
zones = ["red", "corner"]

[zone]
corner = [0, 0, 0.3, 0.2]
```

The options of `redzone analyze` cover the settings that change from run to run; the others are set in one of
the other ways. A run keeps its settings, except for key and home: `redzone resume` goes on with those it
began with, whatever the environment says by then, unless an option of `resume` says otherwise. What was unset
at the beginning is looked up again.

**Secrets.** The API key comes from the environment, from `.env`, or from a file named by
`openai_api_key_file` (for secret mounts). No option takes it, and `redzone.toml` refuses it. It is in no log,
checkpoint, error or `run.json`; `redzone config show` shows at most its last four characters. A base URL with
`user:password@` or `?...` in it is refused, because base URLs are shown and written down.

Times are in seconds unless the name says otherwise.

| setting | environment variables | default | meaning |
|---|---|---|---|
"""


def render() -> str:
    """The whole page."""
    rows = (
        f"| `{name}` | {_variables(name)} | {_default(name)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    )
    return INTRODUCTION + "\n".join(rows) + "\n"


def _variables(name: str) -> str:
    return " ".join(f"`{variable}`" for variable in variables(name))


def _default(name: str) -> str:
    value = Settings.model_fields[name].get_default(call_default_factory=True)
    if value is None or value == {}:
        return "unset"
    text = value.value if isinstance(value, Enum) else value
    return f"`{text if isinstance(text, str) else json.dumps(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
