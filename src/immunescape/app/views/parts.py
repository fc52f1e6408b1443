"""Pieces that every view uses: sliders, tables, boxes of code, messages, and the output of figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from htmltools import Tag, TagList, tags
from shiny import render, ui
from shiny.render.renderer import Renderer

from immunescape.app.figures import Card

__all__ = [
    "cards_of",
    "choice_select",
    "choose",
    "code_box",
    "downloaded",
    "downloads",
    "error_box",
    "figures_ui",
    "joined",
    "offer",
    "render_cards",
    "reproduce",
    "slider",
    "status_text",
    "table_tag",
]


def slider(
    name: str,
    label: str,
    low: float,
    high: float,
    step: float,
    start: float,
    *,
    unit: str = "",
    drawn: bool = False,
    log2: bool = False,
) -> Tag:
    """A native slider with its value beside the label; `drawn`: with a box that says whether the value is set."""
    field = f"{name}-range"
    track: list[Any] = []
    if drawn:
        box = tags.input(type="checkbox", class_="isc-use", aria_label=f"Set: {label}")
        track.append(tags.label(box, "set", class_="isc-set"))
    track.append(tags.input(type="range", id=field, min=low, max=high, step=step, value=start))
    return tags.div(
        tags.label(label, for_=field),
        tags.output(for_=field),
        tags.div(*track, class_="isc-track"),
        id=name,
        class_="isc-range",
        data_unit=unit,
        data_scale="log2" if log2 else "",
    )


def choice_select(name: str, label: str, values: Sequence[Any]) -> Tag:
    """A choice among the values of a covariate, with "as drawn" first."""
    words = ["yes" if v is True else "no" if v is False else str(v) for v in values]
    return choose(name, label, {"": "as drawn", **{w: w for w in words}}, extra="isc-drawn")


def choose(name: str, label: str, choices: Mapping[str, str], selected: str = "", *, extra: str = "") -> Tag:
    """A native select, which keyboards, screen readers and phones know; an input of shiny as it stands."""
    options = [
        tags.option(text, value=value, **({"selected": "selected"} if value == selected else {}))
        for value, text in choices.items()
    ]
    field = tags.select(*options, id=name, class_=f"shiny-input-select form-select {extra}".strip())
    return tags.div(tags.label(label, for_=name), field, class_="form-group")


def downloaded(filename: str | Callable[[], str]) -> Any:
    """Decorator of a download, by its name of now or, before shiny 1.8, of then."""
    kind = getattr(render, "download_button", None) or render.download
    return kind(filename=filename)


def table_tag(rows: Sequence[Mapping[str, Any]], caption: str, numeric: Sequence[str] = ()) -> Tag:
    """A table with a caption and headers; on a phone each row is a block, with the column's name before each value."""
    if not rows:
        return tags.p(f"{caption}: none", class_="isc-hint")
    names = list(rows[0])

    def classes(name: str) -> str | None:
        return "isc-number" if name in numeric else None

    head = tags.tr(*[tags.th(name, scope="col", class_=classes(name)) for name in names])
    body = [
        tags.tr(
            tags.th(str(row[names[0]]), scope="row"),
            *[tags.td(*_whole(str(row.get(name, ""))), class_=classes(name), data_label=name) for name in names[1:]],
        )
        for row in rows
    ]
    table = tags.table(tags.caption(caption), tags.thead(head), tags.tbody(*body), class_="isc-table isc-stack")
    return tags.div(table, class_="isc-scroll", tabindex=0, role="region", aria_label=caption)


def _whole(text: str) -> list[Any]:
    """A cell's text; an interval in brackets after a number is not broken across lines."""
    interval = re.fullmatch(r"(\S+) (\([^()]+ to [^()]+\))", text)
    return [text] if interval is None else [f"{interval[1]} ", tags.span(interval[2], class_="isc-whole")]


def code_box(title: str, text: str) -> Tag:
    """A block of code under a heading, with a button that copies it."""
    return tags.div(
        tags.h3(title),
        tags.div(
            tags.button("Copy", type="button", class_="btn btn-sm btn-light isc-copy", aria_label=f"Copy: {title}"),
            tags.pre(tags.code(text), tabindex=0, aria_label=title),
            class_="isc-code",
        ),
    )


def reproduce(python: str, command: str, more: Sequence[Tag] = (), *, opened: bool = True) -> Tag:
    """The Python and the command line that reproduce what is shown."""
    return tags.details(
        tags.summary("Reproduce this: Python and command line"),
        code_box("Python", python),
        code_box("Command line", command),
        *more,
        class_="isc-repro",
        **({"open": ""} if opened else {}),
    )


def error_box(text: str) -> Tag | None:
    """The package's own words about what is wrong."""
    return tags.div(text, class_="isc-error", role="alert") if text else None


def status_text(text: str, done: int | None = None, total: int | None = None) -> Tag:
    """What is going on, read out by screen readers; with a bar where it is known how much is done."""
    bar = []
    if total:
        bar.append(tags.progress(value=str(done or 0), max=str(total), aria_label=text))
    return tags.div(text, *bar, class_="isc-status", role="status")


class render_cards(Renderer[Sequence[Card]]):
    """Output of figures: the value is a sequence of cards."""

    def auto_output_ui(self) -> Tag:
        """Return the place of the figures."""
        return figures_ui(self.output_id)

    async def transform(self, value: Sequence[Card]) -> Any:
        """Return the cards as the page takes them."""
        return [card.to_json() for card in value]


def cards_of(content: Sequence[Mapping[str, Any]]) -> list[Card]:
    """Cards of what a worker process returned."""
    return [Card(**card) for card in content]


def downloads(files: Mapping[str, tuple[str, str]]) -> TagList:
    """Buttons that download the files of a run: id -> (path, label)."""
    links = [ui.download_button(n, label, class_="btn-sm btn-outline-secondary") for n, (_, label) in files.items()]
    return TagList(tags.h3("Export", style="margin-top: 1rem"), tags.div(*links, class_="isc-buttons"))


def offer(output: Any, run: Any, name: str, path: str) -> None:
    """Serve one file of a run; a function of its own, so that each download keeps its own name."""

    async def content() -> Any:
        yield await run.content(path)

    content.__name__ = name  # under which shiny registers the download
    output(id=name)(downloaded(path.rsplit("/", 1)[-1])(content))


def figures_ui(name: str, *, wide: bool = False) -> Tag:
    """Place of figures that `render_cards` fills."""
    return tags.div(id=name, class_="isc-figures" + (" isc-wide" if wide else ""))


def joined(*parts: Any) -> TagList:
    """Tags below each other; None is left out."""
    return TagList(*[element for element in parts if element is not None])
