"""Pages of the Python interface: one for each package, with everything that its modules offer."""

from __future__ import annotations

import pkgutil

# One record each; they have pages of their own.
RECORDS = ("immunescape.model.mechanisms.", "immunescape.model.drugs.")


def public_modules() -> dict[str, list[str]]:
    """Return package -> its public modules, the package itself first; packages without one are left out."""
    import immunescape

    packages: dict[str, list[str]] = {"immunescape": []}
    for module in pkgutil.walk_packages(immunescape.__path__, "immunescape."):
        if any(piece.startswith("_") for piece in module.name.split(".")) or module.name.startswith(RECORDS):
            continue
        if module.ispkg:
            packages.setdefault(module.name, [])
        else:
            packages.setdefault(module.name.rpartition(".")[0], []).append(module.name)
    return packages


def interface_page(package: str, modules: list[str]) -> str:
    """Write the page of one package: each module with everything that it offers."""
    title = f"{package}"
    blocks = [f".. automodule:: {package}\n   :ignore-module-all:\n"]
    blocks += [f"{name}\n{'-' * len(name)}\n\n.. automodule:: {name}\n" for name in modules]
    return f"{title}\n{'=' * len(title)}\n\n" + "\n".join(blocks)


def interface_pages() -> dict[str, str]:
    """Return file -> text of the Python interface: a page for each package."""
    return {f"api/{package}.rst": interface_page(package, modules) for package, modules in public_modules().items()}
