"""The sections for people and whom to believe about them."""

# ruff: noqa: RUF009 (a declaration of an option is meant to be made once, when the class is)

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from gateway.config.kinds import Location
from gateway.config.option import option


@frozen(kw_only=True)
class Directory:
    """Whom users can find besides each other."""

    file: Path | None = option(
        None,
        Location(),
        "The address file: comma-separated values in UTF-8 whose first line names the columns, of which email must be "
        "there, and name, first_name, last_name, alias, title, office, company, phone, home_phone, mobile_phone and "
        "picture (a file beside it) may be; a changed file is noticed",
        unset="only those with an account are found",
        example=Path("addresses.csv"),
        live=True,
    )


@frozen(kw_only=True)
class Smime:
    """Whose signatures on certificates for mail are believed."""

    ca: Path | None = option(
        None,
        Location(),
        "Certificates, in PEM form, of those who may vouch for certificates of people; read again on reload",
        unset="those of the system",
        example=Path("smime-ca.pem"),
        live=True,
    )
