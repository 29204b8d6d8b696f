"""Generates docs/settings.md from the settings.

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
redzone analyze posters.csv --rpm 500                       # the command line takes precedence
VISION_REQUESTS_PER_MINUTE=500 redzone analyze posters.csv  # then the environment
echo 'OPENAI_API_KEY=sk-...' >> .env                        # then .env in the current folder
echo 'requests_per_min = 500' >> redzone.toml               # then redzone.toml in this or a parent folder
redzone config show                                         # every value with its source
```

A setting that no source gives has its default. Precedence applies to each setting: a variable in the
environment overrides the same setting in `.env`, even under another name. Within one source, the first name
in the table wins. Empty variables are ignored, and so are variables that are not in the table, such as `HOME`
or `MODEL`.

In the environment and in `.env`, lists and tables are JSON: `REDZONE_ZONES='["red", "logo=0,0.9,1,0.1"]'`.
In `redzone.toml`, settings have the names in the first column, and unknown names are errors:

```toml
model = "gpt-6-luna"
zones = ["red", "corner"]

[zone]
corner = [0, 0, 0.3, 0.2]
```

`redzone analyze` has options for the settings that change from run to run. A run keeps its settings, except
for key and home: `redzone resume` uses the recorded ones, whatever the environment now says, unless an option
of `resume` overrides them.

**Secrets.** The API key comes from the environment, from `.env`, or from a file named by
`openai_api_key_file` (for secret mounts). There is no option for it, and `redzone.toml` rejects it. It never
appears in a log, checkpoint, error message or `run.json`; `redzone config show` shows at most its last four
characters. A base URL that contains `user:password@` or `?...` is rejected, because base URLs are shown and
logged.

Times are in seconds unless the name says otherwise.

| setting | environment variables | default | meaning |
|---|---|---|---|
"""


def render() -> str:
    """Returns the whole page."""
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
