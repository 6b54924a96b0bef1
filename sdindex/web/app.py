"""The requests of the page, and the answers."""

import os
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sdindex.archive.names import printable
from sdindex.arguments import text
from sdindex.errors import SdindexError, UsageError
from sdindex.exchange.formats.registry import FORMATS
from sdindex.reviewing import ALIKE, Review
from sdindex.sampling.sheet import GROUPINGS
from sdindex.store.sampled import SampledImage
from sdindex.web.answers import COPY, Asked, described, sheet_of, start_of
from sdindex.web.guard import asked
from sdindex.web.pictures import SIDES, Pictures

if TYPE_CHECKING:
    from sdindex.exchange.copies import How
    from sdindex.labelling import Labelling

_MOST_IMAGES = 500  # images in a request, at most
_SIMILAR = 24
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
FILES = {
    "/": ("sdindex.web", "static/review.html"),
    "/review.css": ("sdindex.web", "static/review.css"),
    "/sheet.js": ("sdindex.web", "static/sheet.js"),
    "/enlarged.js": ("sdindex.web", "static/enlarged.js"),
    "/controls.js": ("sdindex.web", "static/controls.js"),
    "/review.js": ("sdindex.web", "static/review.js"),
    "/look.css": ("sdindex.pages", "look.css"),
}

Answered = Callable[[dict[str, Any]], Any]


class Page:
    """The server side of a review's page.

    Parameters
    ----------
    index
        The index.
    review
        The review.
    pictures
        Makes the pictures.
    read_only
        Whether nothing may be decided or saved.
    """

    def __init__(
        self, index: "Labelling", review: Review, pictures: Pictures, *, read_only: bool
    ) -> None:
        self._index, self._review, self._pictures = index, review, pictures
        self._read_only = read_only

    def app(self) -> Starlette:
        """Return the application that answers."""
        asking: Mapping[str, Answered] = {
            "start": self.start,
            "sample": self.sample,
            "images": self.images,
            "around": self.around,
            "similar": self.similar,
        }
        changing: Mapping[str, Answered] = {
            "decide": self.decide,
            "note": self.note,
            "undo": self.undo,
            "save": self.save,
            "put": self.put,
        }
        routes = [Route(path, _file(*where)) for path, where in FILES.items()]
        routes += [self._route(name, answer) for name, answer in asking.items()]
        routes += [self._route(name, answer, changes=True) for name, answer in changing.items()]
        routes += [
            Route("/picture/{side:int}/{image:int}", self.picture),
            Route("/favicon.ico", _nothing),
            Route("/export/{form}", self.export, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={SdindexError: _told})

    def _route(self, name: str, answer: Answered, *, changes: bool = False) -> Route:
        async def answered(request: Request) -> Response:
            if changes and self._read_only:
                return JSONResponse({"error": "this page is only to be looked at"}, 403)
            try:
                question = await asked(request)
                return JSONResponse(await run_in_threadpool(answer, question))
            except SdindexError as problem:
                return await _told(request, problem)
            except (LookupError, TypeError, ValueError) as problem:  # no request of our page
                return JSONResponse({"error": printable(f"not understood: {problem}")}, 400)

        return Route(f"/api/{name}", answered, methods=["POST"])

    def start(self, _: dict[str, Any]) -> dict[str, Any]:
        """Return what the page needs when it is opened."""
        return {**start_of(self._index, self._review), "readOnly": self._read_only,
                "groupings": GROUPINGS, "alike": ALIKE, "sides": SIDES}  # fmt: skip

    def sample(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the sample of some options."""
        given = Asked.of(question, self._review)
        return sheet_of(self._review, given, self._review.db)

    def images(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the page shows of images."""
        ids = [int(row) for row in question["ids"][:_MOST_IMAGES]]
        return [described(row, image) for row, image in self._review.images(ids).items()]

    def around(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the images around one."""
        near = self._review.around(int(question["image"]))
        known = self._review.images([one.id for one in near])
        return [
            {**described(one.id, known[one.id]), "inBurst": one.in_burst}
            for one in near
            if one.id in known
        ]

    def similar(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the images that are most like one."""
        given = Asked.of(question, self._review)
        near = self._review.similar(int(question["image"]), given.options, _SIMILAR)
        known = self._review.images([row for row, _ in near])
        return [{**described(row, known[row]), "bits": bits} for row, bits in near if row in known]

    def decide(self, question: dict[str, Any]) -> dict[str, Any]:
        """Store a decision, and return the sample that it makes."""
        given = Asked.of(question, self._review)
        self._review.decide(
            int(question["image"]),
            question["what"],
            given.count,
            given.options,
            within=question.get("within"),
            why=question.get("why"),
        )
        return self.sample(question)

    def note(self, question: dict[str, Any]) -> dict[str, Any]:
        """Store a note, and return the sample."""
        given = Asked.of(question, self._review)
        self._review.annotate(int(question["image"]), question["why"], given.count, given.options)
        return self.sample(question)

    def undo(self, question: dict[str, Any]) -> dict[str, Any]:
        """Take the last decision back, and return the sample and the image."""
        image = self._review.undo()
        return {**self.sample(question), "undone": image}

    def save(self, question: dict[str, Any]) -> dict[str, Any]:
        """Save the sample under a name."""
        given = Asked.of(question, self._review)
        images = self._review.save(question["name"], given.count, given.options)
        return {"images": images}

    def put(self, question: dict[str, Any]) -> dict[str, Any]:
        """Write the sample into a folder of this machine; nothing there is written over."""
        form, folder = question["form"], text("folder", question["folder"]).strip()
        if not folder:
            raise UsageError("name a folder of the computer that runs sdindex")
        folder, said = os.path.abspath(os.path.expanduser(folder)), list[str]()
        images = self._sample(question, form)
        if form == COPY:
            said.append(str(self._index.put_files(images, folder)))
        else:
            how: How | None = "copy" if FORMATS[form].has_images else None
            put = self._index.export(images, folder, form, how=how, say=said.append)
            said.append(f"written in {folder}" if put is None else str(put))
        return {"said": [printable(line) for line in said]}

    async def picture(self, request: Request) -> Response:
        """Return a picture of an image in the index, decoded anew, at most `side` pixels large."""
        side, row = request.path_params["side"], request.path_params["image"]
        known = await run_in_threadpool(self._review.images, [row]) if side in SIDES else {}
        if row not in known:
            return PlainTextResponse("no image of this index", 404)
        found = await self._pictures.of(known[row], side)
        if found.jpeg is None:
            return PlainTextResponse(printable(found.error or ""), 422)
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(found.jpeg, media_type="image/jpeg", headers=headers)

    async def export(self, request: Request) -> Response:
        """Return the sample as a file in a format."""
        form = FORMATS.get(request.path_params["form"])
        if form is None or form.is_folder or form.needs:
            return PlainTextResponse("no format of a single file", 404)
        question = await asked(request)
        return await run_in_threadpool(self._exported, form.name, question)

    def _exported(self, form: str, question: dict[str, Any]) -> Response:
        content = BytesIO()
        self._index.export(self._sample(question, form), content, form)
        return Response(content.getvalue(), media_type="application/octet-stream")

    def _sample(self, question: dict[str, Any], form: str) -> list[SampledImage]:
        """Return the images of a sample, with their bursts where the format tells them."""
        given = Asked.of(question, self._review)
        ids, *_ = self._review.sample(given.count, given.options)
        with_bursts = form in FORMATS and FORMATS[form].tells_bursts
        return [*self._review.images(ids, with_bursts=with_bursts).values()]


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


def _file(package: str, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answered(_: Request) -> Response:
        content = (files(package) / name).read_bytes()
        kind = _KINDS[name[name.rindex(".") :]]
        return Response(content, media_type=f"{kind}; charset=utf-8")

    return answered


async def _told(_: Request, problem: Exception) -> Response:
    return JSONResponse({"error": printable(str(problem))}, 400)
