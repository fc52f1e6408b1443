"""What the views with long computations share: start, progress, cancel, files of the run."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from htmltools import Tag, tags
from shiny import Session, reactive, ui

from immunescape.app.jobs import AppJob, Jobs, JobState
from immunescape.app.views.parts import error_box, joined, status_text
from immunescape.errors import ImmunescapeError

__all__ = ["Running", "run_buttons"]

_POLL_SECONDS = 0.3


def run_buttons(prefix: str, label: str) -> Tag:
    """Buttons that start and cancel a computation."""
    return tags.div(
        ui.input_action_button(f"{prefix}_run", label, class_="btn-primary btn-sm"),
        ui.input_action_button(f"{prefix}_cancel", "Cancel", class_="btn-outline-secondary btn-sm"),
        class_="isc-buttons",
    )


class Running:
    """Computations of one view in one session, one at a time; its files are deleted at the end of the session.

    Parameters
    ----------
    session
        The session.
    jobs
        Where jobs are started.
    noun
        What progress counts.
    """

    def __init__(self, session: Session, jobs: Jobs, noun: str) -> None:
        self.jobs, self.noun = jobs, noun
        self.state: reactive.Value[JobState | None] = reactive.value(None)
        self.request: reactive.Value[Mapping[str, Any]] = reactive.value({})
        self.refused = reactive.value("")
        self.place = Path(tempfile.mkdtemp(prefix="immunescape-"))
        self._job: AppJob | None = None
        self._finished: Path | None = None
        session.on_ended(self.close)

        @reactive.effect
        def _poll() -> None:
            state = self.state()
            if state is not None and state.status == "running" and self._job is not None:
                reactive.invalidate_later(_POLL_SECONDS)
                with reactive.isolate():
                    now = self._job.poll()
                    if now != state:
                        self._note(now)

    def _note(self, state: JobState) -> None:
        if state.status == "done" and self._job is not None:
            self._finished = self._job.folder
        self.state.set(state)

    def start(self, task: str, request: Mapping[str, Any]) -> None:
        """Start a computation with a folder of its own; what the last one left is deleted."""
        if self._job is not None and self._job.poll().status == "running":
            self.refused.set("A computation is running: cancel it, or wait until it is finished.")
            return
        self.forget()
        folder = Path(tempfile.mkdtemp(dir=self.place))
        try:
            self._job = self.jobs.start(task, request, folder)
        except ImmunescapeError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self.refused.set(str(error))
            return
        self.request.set(request)
        self.state.set(JobState())

    def forget(self) -> None:
        """Delete what the last computation left."""
        if self._job is not None:
            shutil.rmtree(self._job.folder, ignore_errors=True)
        self._job, self._finished = None, None
        self.refused.set("")
        self.state.set(None)

    def cancel(self) -> None:
        """End the computation that runs."""
        if self._job is not None and self._job.poll().status == "running":
            self._job.cancel()
            self.state.set(self._job.state)

    def close(self) -> None:
        """End of the session: nothing goes on, nothing stays."""
        if self._job is not None:
            self._job.cancel()
        shutil.rmtree(self.place, ignore_errors=True)

    def result(self) -> Mapping[str, Any] | None:
        """What the last computation returned, once it is done."""
        state = self.state()
        return state.result if state is not None and state.status == "done" else None

    def path(self, name: str) -> Path:
        """One of the files of the last computation."""
        if self._finished is None:
            raise RuntimeError("nothing is computed yet")
        return self._finished / name

    async def content(self, name: str) -> bytes:
        """Content of one of the files."""
        return await asyncio.to_thread(self.path(name).read_bytes)

    def message(self, began: str) -> Any:
        """How far the computation is, and what is wrong; `began`: what is said before the first progress."""
        state, refused = self.state(), self.refused()
        if refused:
            return error_box(refused)
        if state is None:
            return None
        if state.status == "running":
            text = f"{state.done:,} of {state.total:,} {self.noun}" if state.total else began
            return status_text(text, state.done, state.total)
        if state.status == "cancelled":
            return status_text("Cancelled.")
        return error_box(state.text) if state.status == "failed" else joined(status_text("Finished."))
