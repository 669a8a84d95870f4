"""``dagflow auth`` and ``dagflow backend``: keys for servers."""

from __future__ import annotations

from typing import Any

import click

from dagflow.cli.connection import connected
from dagflow.cli.render import age, local_time, output_option, show_record, show_rows
from dagflow.cli.talk import NotFound, say
from dagflow.client.connection import in_path
from dagflow.exceptions import ObjectNotFoundError

__all__ = ["auth", "backend"]

SCOPES = ("admin", "write", "run", "read")


@click.group()
def auth() -> None:
    """Keep the key for a server; make and revoke keys."""


@auth.command()
@click.option("--key", "-k", help="The key; it is asked for when it is not given.")
def login(key: str | None) -> None:
    """Try a key on the configured server, and keep it for this user."""
    from dagflow.client.client import Client

    # Asked for without an echo: what is typed on a command line is kept in the shell's history.
    key = key or click.prompt("Key", hide_input=True, err=True)
    with Client(api_key=key, _retries=1) as client:
        client.get("projects", {"limit": 1})
        client.save_auth_to_disk()
        say(f"Logged in to {client.api_server}.", style="green")


@auth.command()
def logout() -> None:
    """Forget the key that was kept for the configured server."""
    from dagflow.client.auth import forget_key
    from dagflow.client.client import Client

    server = Client().api_server
    if not forget_key(server):
        raise NotFound(f"No key is kept for {server}.")
    say(f"Logged out of {server}.", style="green")


@auth.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Tell which server is configured, and whether it lets us in."""
    with connected() as client:
        health = client.get("health")
        client.get("projects", {"limit": 1})
        facts = {"server": client.api_server, "version": health["version"], "key": bool(client.api_key)}
    if as_json:
        show_record(facts, "json")
        return
    click.echo(f"server: {facts['server']}\nversion: {facts['version']}\nkey: {'yes' if facts['key'] else 'none'}")


@auth.command("create-key")
@click.option("--name", "-n", required=True, help="What the key is for.")
@click.option("--expire", "-e", help="When it expires, as ISO time.")
@click.option("--scope", type=click.Choice(SCOPES), default="write", show_default=True, help="What it allows.")
@click.option("--local", is_flag=True, help="Write it to the database of a server on this machine, without asking it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create_key(name: str, expire: str | None, scope: str, local: bool, as_json: bool) -> None:
    """Make a key and print it; it is shown this once."""
    if local:
        answer = _local_key(name, scope, expire)
    else:
        with connected() as client:
            answer = client.post("keys", {"name": name, "scope": scope, "expires": expire})
    if as_json:
        show_record(answer, "json")
        return
    say("Keep this key now: it is not shown again.", style="yellow")
    click.echo(answer["key"])


def _local_key(name: str, scope: str, expire: str | None) -> dict[str, Any]:
    """Make a key in the database itself: the first one, for a server that lets nobody in without."""
    from dagflow.cli.server import opened_database
    from dagflow.server.api.answers import moment
    from dagflow.server.store import keys

    expires = moment(expire, "--expire")
    with opened_database() as database:
        made: dict[str, Any] = database.write(lambda tx: keys.create_key(tx, name, scope, expires))
        return made


@auth.command("list-keys")
@output_option
def list_keys(form: str) -> None:
    """List keys, without what opens."""
    columns: dict[str, Any] = {
        "NAME": "name",
        "SCOPE": "scope",
        "AGE": lambda key: age(key.get("created")),
        "EXPIRES": lambda key: local_time(key.get("expires")),
        "ID": "id",
    }
    with connected() as client:
        show_rows(client._items("keys"), columns, form, "No keys found.")


@auth.command("revoke-key")
@click.option("--id", "key_id", required=True, help="The key's id.")
def revoke_key(key_id: str) -> None:
    """Make a key useless."""
    with connected() as client:
        try:
            client.delete(f"keys/{in_path(key_id)}")
        except ObjectNotFoundError:
            raise NotFound(f"There is no key {key_id!r}. List them with `dagflow auth list-keys`.") from None
    say("Key revoked.", style="green")


@auth.command("list-tenants")
@output_option
def list_tenants(form: str) -> None:
    """List the one tenant that a server has."""
    show_rows(connected().get_available_tenants(), {"NAME": "name", "SLUG": "slug", "ID": "id"}, form)


@auth.command("switch-tenants")
@click.option("--id", "tenant_id", help="Accepted for habit.")
@click.option("--slug", help="Accepted for habit.")
def switch_tenants(tenant_id: str | None, slug: str | None) -> None:
    """Do nothing: a server has one tenant."""
    say("A server has one tenant, and you are in it.")


@click.command()
@click.argument("kind", type=click.Choice(["server", "cloud"]))
def backend(kind: str) -> None:
    """Name the kind of backend; there is one, so this only notes it."""
    import os

    from dagflow.configuration import config
    from dagflow.utilities.toml import write_private_toml

    write_private_toml(os.path.join(os.path.expanduser(config.home_dir), "backend.toml"), {"backend": kind})
    say(f"Backend noted as {kind}. Which server is used follows from cloud.api, now {show_server()}.", style="green")


def show_server() -> str:
    """Return the address of the configured server."""
    return connected().api_server
