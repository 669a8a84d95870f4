"""
The settings: ``config``, read once from layers of which the later wins.

1. ``config.toml`` beside this file, which names every key;
2. the user's file, ``~/.dagflow/config.toml`` or what ``DAGFLOW__USER_CONFIG_PATH`` says;
3. the profile in ``<home>/profiles.toml`` that is active there or named by ``DAGFLOW_PROFILE``; empty means none;
4. ``.env`` in the working directory, if ``DAGFLOW_DOTENV`` is true;
5. environment variables, ``DAGFLOW__SECTION__KEY=value``.

Text may use ``$VAR``, ``~`` and references to other keys, ``${section.key}``. The object is the one mutable thing here:
:func:`dagflow.utilities.configuration.set_temporary_config` changes it for a block and puts it back.

>>> config.flows.run_on_schedule
True
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dagflow.exceptions import ConfigurationError, UnknownSettingError
from dagflow.utilities.collections import CompoundKey, DotDict, as_nested_dict, dict_to_flatdict, merge_dicts

__all__ = [
    "Config",
    "config",
    "load_configuration",
    "load_default_config",
    "load_profiles",
    "profiles_path",
    "reload_configuration",
    "string_to_type",
    "to_environment_variables",
]

ENV_PREFIX = "DAGFLOW"
DEFAULT_CONFIG = os.path.join(os.path.dirname(__file__), "config.toml")
USER_CONFIG = "~/.dagflow/config.toml"
PROFILES = "profiles.toml"
PROFILE_VARIABLE = "DAGFLOW_PROFILE"
DOTENV_VARIABLE = "DAGFLOW_DOTENV"
MAX_REFERENCE_DEPTH = 10
"""How often a reference may lead to another one; more is taken for a circle."""

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_LITERAL_STARTS = frozenset("0123456789+-.'\"[({")


class Config(DotDict):
    """
    Settings with attribute access; sections are ``Config`` too and are handed out by reference.

    >>> settings = Config(flows={"checkpointing": True})
    >>> settings.flows.checkpointing
    True
    >>> settings.flow
    Traceback (most recent call last):
    UnknownSettingError: The configuration has no key 'flow'. Did you mean 'flows'? Known here: flows.
    """

    def __getattr__(self, key: str) -> Any:
        # Called only for what normal lookup did not find. Copying and pickling probe for special names.
        if key.startswith("__"):
            raise AttributeError(key)
        raise UnknownSettingError(key, self.__dict__)

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, Mapping) and not isinstance(value, Config):
            value = as_nested_dict(value, Config)
        super().__setitem__(key, value)

    def copy(self) -> Config:
        """Return a copy that shares no section with this one."""
        duplicate: Config = merge_dicts(self, {})
        return duplicate


def string_to_type(text: str) -> Any:
    """
    Read *text* as the value it looks like: a boolean, a Python literal, else itself.

    >>> [string_to_type(text) for text in ("TRUE", "1.5", "[1, 'a']", "None", "plain")]
    [True, 1.5, [1, 'a'], None, 'plain']
    """
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if text == "None":
        return None
    if text[:1] not in _LITERAL_STARTS:
        return text
    from ast import literal_eval

    try:
        value = literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return text if value is ... else value


def _from_environment(prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the nested settings that *environ* holds."""
    start = f"{prefix}__"
    found: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(start) or name == start:
            continue
        *sections, key = _key_path(name[len(start) :])
        place = found
        for section in sections:
            inner = place.get(section)
            place[section] = place = inner if isinstance(inner, dict) else {}
        place[key] = string_to_type(_expanded(environ[name]))
    return found


def _key_path(name: str) -> list[str]:
    parts = name.split("__")
    path = [part.lower() for part in parts]
    if path[:2] == ["context", "secrets"] and len(path) > 2:
        # Secrets keep their case, and their name may contain a double underscore.
        return ["context", "secrets", "__".join(parts[2:])]
    return path


def _expanded(text: str) -> str:
    """Replace ``$VAR``, ``${VAR}`` and a leading ``~``, following variables that hold variables."""
    for _ in range(MAX_REFERENCE_DEPTH):
        replaced = os.path.expanduser(os.path.expandvars(text))
        if replaced == text:
            break
        text = replaced
    return text


def _at(settings: Mapping[str, Any], path: Iterable[str]) -> Any:
    """Return the value at *path*, ``""`` when there is none."""
    value: Any = settings
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return ""
        value = value[key]
    return value


def _resolved(value: Any, settings: Mapping[str, Any]) -> Any:
    """Return *value* with its references followed; text that changed is read for its type."""
    for _ in range(MAX_REFERENCE_DEPTH):
        if not isinstance(value, str):
            break
        whole = _REFERENCE.fullmatch(value)
        if whole:
            value = _at(settings, whole.group(1).split("."))
            continue
        text = _REFERENCE.sub(lambda found: str(_at(settings, found.group(1).split("."))), value)
        if text == value:
            break
        value = string_to_type(text)
    return value


def _interpolated(value: Any) -> Any:
    """Expand variables in *value*; lists are entered, sections are not (they are flattened before)."""
    if isinstance(value, list):
        return [_interpolated(item) for item in value]
    if not isinstance(value, str) or ("$" not in value and "~" not in value):
        return value
    text = _expanded(value)
    return value if text == value else string_to_type(text)


def _interpolate(settings: dict[str, Any]) -> None:
    """Expand variables and follow references everywhere in *settings*, in place."""
    flat = dict_to_flatdict(settings)
    for path, value in flat.items():
        _place(settings, path, _interpolated(value))
    for path in flat:
        current = _at(settings, path)
        if isinstance(current, list):
            _place(settings, path, [_resolved(item, settings) for item in current])
        elif isinstance(current, str) and "${" in current:
            _place(settings, path, _resolved(current, settings))


def _place(settings: dict[str, Any], path: CompoundKey, value: Any) -> None:
    _at(settings, path[:-1])[path[-1]] = value


def _read_toml(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with open(path, "rb") as stream:
            return tomllib.load(stream)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}. Correct or remove the file.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}.") from error


def _apply_task_defaults(settings: Config) -> None:
    """Turn the ``false`` of TOML, which has no null, and seconds into what tasks expect."""
    defaults = settings.get("tasks", {}).get("defaults", {})
    if "max_retries" in defaults:
        defaults["max_retries"] = defaults["max_retries"] or 0
    if "timeout" in defaults:
        defaults["timeout"] = defaults["timeout"] or None
    delay = defaults.get("retry_delay", "absent")
    if isinstance(delay, (int, float)) and not isinstance(delay, bool):
        from datetime import timedelta

        defaults["retry_delay"] = timedelta(seconds=delay)
    elif delay is False:
        defaults["retry_delay"] = None


def load_configuration(
    path: str | os.PathLike[str],
    user_config_path: str | os.PathLike[str] | None = None,
    env_var_prefix: str | None = None,
    with_profile: bool = False,
) -> Config:
    """
    Read *path*, lay the user's file (if it exists) and the environment over it, and resolve references.

    A file that is not TOML, or a key that is the name of a mapping method, is a ``ValueError`` that names it.
    """
    settings = _read_toml(os.fspath(path))
    if user_config_path is not None:
        user_file = _expanded(os.fspath(user_config_path))
        if os.path.isfile(user_file):
            settings = merge_dicts(settings, _read_toml(user_file))
    if env_var_prefix and with_profile:
        for layer in (active_profile(home_of(settings)), _from_dotenv()):
            settings = merge_dicts(settings, _from_environment(env_var_prefix, layer))
    if env_var_prefix:
        settings = merge_dicts(settings, _from_environment(env_var_prefix, os.environ))
    _interpolate(settings)
    loaded: Config = as_nested_dict(settings, Config)
    _apply_task_defaults(loaded)
    return loaded


def load_default_config() -> Config:
    """Read the packaged file, the user's file, the profile and the environment."""
    user_config = os.environ.get(f"{ENV_PREFIX}__USER_CONFIG_PATH", USER_CONFIG)
    return load_configuration(DEFAULT_CONFIG, user_config, ENV_PREFIX, with_profile=True)


def reload_configuration() -> None:
    """Read the settings anew, into the ``config`` that everybody has."""
    fresh = load_default_config()
    config.clear()
    config.update(fresh)


# --- profiles ------------------------------------------------------------------------------------------------


def home_of(settings: Mapping[str, Any]) -> str:
    """Return the home that *settings* and the environment name; profiles cannot move it, because they lie in it."""
    return _expanded(os.environ.get(f"{ENV_PREFIX}__HOME_DIR") or str(settings.get("home_dir") or "~/.dagflow"))


def profiles_path(home: str | None = None) -> str:
    """Return where the profiles are."""
    return os.path.join(os.path.expanduser(home or config.home_dir), PROFILES)


def load_profiles(home: str | None = None) -> tuple[str | None, dict[str, dict[str, Any]]]:
    """
    Return the name of the active profile, and all profiles by name.

    Raises:
        ConfigurationError: when the file cannot be read.
    """
    path = profiles_path(home)
    if not os.path.isfile(path):
        return None, {}
    content = _read_toml(path)
    profiles = content.get("profiles") or {}
    wrong = [name for name, settings in profiles.items() if not isinstance(settings, dict)]
    if wrong:
        raise ConfigurationError(f"{path}: profile {wrong[0]!r} is not a table; write [profiles.{wrong[0]}].")
    return content.get("active") or None, profiles


def active_profile(home: str) -> dict[str, str]:
    """
    Return the variables of the profile in force, none when none is.

    Raises:
        ProfileNotFoundError: when the profile that is asked for does not exist.
        ConfigurationError: when the one that the file calls active does not.
    """
    wanted = os.environ.get(PROFILE_VARIABLE)
    if wanted == "":
        return {}
    active, profiles = load_profiles(home)
    name = wanted or active
    if name is None:
        return {}
    if name not in profiles:
        from dagflow.exceptions import ProfileNotFoundError, near_match

        why = f"{PROFILE_VARIABLE} names" if wanted else f"{profiles_path(home)} calls active"
        raise (ProfileNotFoundError if wanted else ConfigurationError)(
            f"{why} the profile {name!r}, which does not exist.{near_match(name, profiles)} Known: "
            f"{', '.join(sorted(profiles)) or 'none'}. An empty {PROFILE_VARIABLE} means no profile."
        )
    return {key: str(value) for key, value in profiles[name].items()}


def _from_dotenv() -> dict[str, str]:
    """Return the variables in ``.env`` of the working directory, if that was asked for."""
    if os.environ.get(DOTENV_VARIABLE, "").lower() not in ("1", "true") or not os.path.isfile(".env"):
        return {}
    found = {}
    with open(".env", encoding="utf-8") as file:
        for line in file:
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals and not name.startswith("#"):
                text = value.strip()
                quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
                found[name.strip()] = text[1:-1] if quoted else text
    return found


def to_environment_variables(
    config: Mapping[str, Any], include: Iterable[str] | None = None, prefix: str = ENV_PREFIX
) -> dict[str, str]:
    """
    Return the environment variables that give the same settings to another process.

    *include* names the keys wanted, or whole sections. Text that would be read back as something else is quoted.

    >>> to_environment_variables({"logging": {"level": "INFO"}, "debug": True}, include=["logging.level"])
    {'DAGFLOW__LOGGING__LEVEL': 'INFO'}
    >>> to_environment_variables({"mine": "5"})
    {'DAGFLOW__MINE': "'5'"}
    """
    wanted = None if include is None else tuple(include)
    variables = {}
    for path, value in dict_to_flatdict(config).items():
        dotted = ".".join(path)
        if isinstance(value, Mapping) or not (wanted is None or _is_included(dotted, wanted)):
            continue
        variables[f"{prefix}__{_variable_name(path)}"] = _as_text(value)
    return variables


def _is_included(dotted: str, wanted: tuple[str, ...]) -> bool:
    return any(dotted == name or dotted.startswith(f"{name}.") for name in wanted)


def _variable_name(path: CompoundKey) -> str:
    if path[:2] == ("context", "secrets"):
        return "CONTEXT__SECRETS__" + "__".join(path[2:])
    return "__".join(path).upper()


def _as_text(value: Any) -> str:
    seconds = getattr(value, "total_seconds", None)
    if seconds is not None:
        value = seconds()
    text = str(value)
    if isinstance(value, str) and not isinstance(string_to_type(text), str):
        return repr(text)
    if isinstance(value, str) and string_to_type(text) != text:
        return repr(text)
    return text


config: Config = load_default_config()
"""The settings of this process."""
