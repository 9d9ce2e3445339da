"""The page on which a person gives verdicts, on this machine alone.

It needs the extra ``ui`` (gradio). Gradio's own telemetry is off, its fonts are those of the
system, and the browser is told to load nothing from anywhere else.
"""

from __future__ import annotations

import base64
import html
import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from mstar.experiments.audit.session import Session
from mstar.experiments.page import page
from mstar.experiments.verdicts import VerdictKind

HERE = Path(__file__).parent
HOST = "127.0.0.1"
LARGEST = 1600  # pixels of the longer side of an image as it is shown
KEYS: dict[VerdictKind, str] = {
    "right": "1",
    "wrong": "2",
    "bad question": "3",
    "bad reference": "4",
    "right for wrong reasons": "5",
}
# Gradio's page names hosts of others; a browser that obeys this header asks none of them.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)
# The verdict is on the item that the person sees, whatever the server has gone on to.
SHOWN_ITEM = (
    "(shown, note) => [document.querySelector('[data-item]')?.dataset.item ?? '', note ?? '']"
)


def launch(session: Session, port: int | None = None) -> tuple[Any, str]:
    """Start the page, which stays while the process does; returns gradio's object and its address.

    Args:
        session: of the person.
        port: of the page; the first free one from 7860 if None.

    Raises:
        ImportError: gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise ImportError("the page needs gradio: pip install 'mstar-rl[ui]'")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    made = build(session)
    system = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    _, address, _ = made.launch(
        server_name=HOST,
        server_port=port,
        share=False,
        inbrowser=False,
        prevent_thread_lock=True,
        quiet=True,
        theme=gr.themes.Base(**system),
        css=(HERE / "page.css").read_text(),
        head=f"<script>{(HERE / 'page.js').read_text()}</script>",
        footer_links=[],
        ssr_mode=False,
        app_kwargs={
            "middleware": [
                Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
                Middleware(Guarded),
            ]
        },
    )
    return made, address


class Guarded:
    """Adds ``POLICY`` to every answer of the server.

    Args:
        app: the ASGI application behind.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        await self._app(scope, receive, with_policy)


def build(session: Session) -> Any:
    """The page as gradio's ``Blocks``."""
    import gradio as gr

    first = session.sample()[0]
    with gr.Blocks(title=f"audit of {session.subject.name}", analytics_enabled=False) as made:
        status = gr.HTML(elem_id="status")
        item = gr.HTML(elem_id="item")
        with gr.Row(elem_classes="verdicts"):
            buttons = {
                kind: gr.Button(f"{kind} ({KEYS[kind]})", elem_id=f"key-{KEYS[kind]}")
                for kind in session.kinds(first)
            }
            undo = gr.Button("undo (U)", elem_id="key-u")
        note = gr.Textbox(
            label="Note on this item (N; Escape leaves the box)", lines=1, elem_id="note"
        )
        gr.HTML(f'<p class="soft">Verdicts go to {html.escape(str(session.subject.verdicts))}.</p>')
        shown = gr.Textbox(visible=False)  # filled by SHOWN_ITEM
        outputs, quietly = [status, item, note], {"show_progress": "hidden"}
        quietly["api_visibility"] = "private"
        for kind, button in buttons.items():
            button.click(
                _judging(session, kind),
                [shown, note],
                outputs,
                js=SHOWN_ITEM,
                **quietly,
            )
        undo.click(
            lambda: _after_undo(session),
            None,
            outputs,
            show_progress="hidden",
            api_visibility="private",
        )
        made.load(lambda: view(session), None, outputs, show_progress="hidden")
    return made


def view(session: Session, said: str = "") -> tuple[str, str, str]:
    """What the page shows now: the status line, the item, and an empty note."""
    item = session.shown()
    judged, size = session.progress()
    left = f"{judged} of {size} judged" if item else f"all {size} judged"
    status = page(
        "audit/status.html.jinja",
        user=session.user,
        left=left,
        said=said,
        done=not item,
        grows=session.subject.grows,
    )
    if item is None:
        return status, "", ""
    shown = page(
        "audit/item.html.jinja",
        item=item,
        stratum=f"sample: {item.stratum}" if session.scores_shown else "sample",
        place=judged + 1,
        images=[data_url(image) for image in session.subject.images(item)],
        scores_shown=session.scores_shown,
    )
    return status, shown, ""


def data_url(image: Image.Image) -> str:
    """An image as the address of itself, made smaller if it is very large."""
    image = image.copy()
    image.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _judging(session: Session, kind: VerdictKind) -> Any:
    def judge(shown: str, note: str) -> tuple[str, str, str]:
        stored = session.judge(shown, kind, note.strip())
        return view(session, f"stored: {kind}" if stored else "not stored: the item had changed")

    return judge


def _after_undo(session: Session) -> tuple[str, str, str]:
    undone = session.undo()
    return view(session, f"taken back: {undone.kind}" if undone else "nothing to take back")
