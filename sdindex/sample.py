"""`Sample`: a list of images that becomes a file, a table, a page, or a sheet in a notebook."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Unpack

from sdindex.arguments import DEFAULT_WORKERS, AnyPath, choice, flag, optional, path, text, whole
from sdindex.errors import UsageError
from sdindex.exchange.formats.registry import FORMATS, WishArguments
from sdindex.exchange.output import writing
from sdindex.exchange.records import columns_of_images
from sdindex.labelling import Labelling
from sdindex.sampling.options import SampleOptions
from sdindex.store.sampled import SampledImage

if TYPE_CHECKING:
    from sdindex.exchange.copies import FilesPut, How
    from sdindex.reviewing import Review
    from sdindex.web.page import ReviewPage


class Sample(list[SampledImage]):
    """The images of a sample, in natural order: a list of `sdindex.SampledImage`.

    A slice or a pickled copy is a plain list of the images.

    Parameters
    ----------
    images
        As they were drawn.
    index
        The index that they are of; `export` asks it again.
    options
        The options by which they were drawn.
    begin
        Called with an observer, or None: returns a review of them.
    """

    def __init__(
        self,
        images: Iterable[SampledImage],
        index: Labelling,
        options: SampleOptions,
        begin: "Callable[[str | None], Review]",
    ) -> None:
        super().__init__(images)
        self._index, self._options, self._begin = index, options, begin

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def to_pandas(self) -> Any:
        r"""Return a `pandas.DataFrame` with a row for each image.

        Its columns are the attributes of `sdindex.SampledImage`; `boxes` and `said` are lists of
        dictionaries. In a path, a byte that is no text is written ``\xff``.

        Raises
        ------
        UsageError
            When pandas is not installed.
        """
        return _package("pandas").DataFrame(columns_of_images(self))

    def to_polars(self) -> Any:
        """Return a `polars.DataFrame`, as `to_pandas` does.

        Raises
        ------
        UsageError
            When polars is not installed.
        """
        pl = _package("polars")
        sides = dict.fromkeys(("x", "y", "width", "height"), pl.Float64)
        said = {"label": pl.String, "confidence": pl.Float64, "source": pl.String,
                "is_human": pl.Boolean, "box": pl.Struct(sides)}  # fmt: skip
        kinds = {
            **dict.fromkeys(("bucket",), pl.UInt64),
            **dict.fromkeys(("width", "height", "number_in_burst", "burst_size"), pl.Int64),
            **dict.fromkeys(("brightness", "motion"), pl.Float64),
            "taken_at": pl.Datetime("us"),
            "labels": pl.List(pl.String),
            "boxes": pl.List(pl.Struct({"label": pl.String, **sides})),
            "said": pl.List(pl.Struct(said)),
        }
        columns = columns_of_images(self)
        return pl.DataFrame(columns, schema={name: kinds.get(name, pl.String) for name in columns})

    def export(
        self,
        form: str,
        output: "AnyPath | IO[bytes]",
        *,
        how: "How | None" = None,
        source: str | Iterable[str] | None = None,
        **wishes: Unpack[WishArguments],
    ) -> "FilesPut | None":
        """Write the sample in the format of another program.

        Parameters
        ----------
        form
            The format's name, as ``--format`` has it.
        output
            A path: that of a folder for formats that are folders; or a file open for writing bytes.
        source
            Write only labels of these sources, in the format ``"megadetector-results"``; by default
            the sources that the sample was drawn by, else all.
        how, **wishes
            Those of `sdindex.Index.export`, as are the errors.

        Examples
        --------
        >>> index.select(4).export("csv", "sample.csv")
        """
        known = FORMATS[choice("form", form, FORMATS)]
        images: list[SampledImage] = self
        if known.tells_bursts:
            images = self._index.with_units(self, self._options.clock)
        sources = self._options.sources if source is None else source
        if known.is_folder or hasattr(output, "write"):
            return self._index.export(images, output, form, how=how, source=sources, **wishes)
        if how is not None:
            raise UsageError(
                f"{form} is a file; put_files of the index puts the images in a folder"
            )
        with writing(path("output", output), index=self._index.file) as file:
            return self._index.export(images, file, form, source=sources, **wishes)

    def review(
        self,
        *,
        observer: str | None = None,
        browser: bool = True,
        read_only: bool = False,
        workers: int = DEFAULT_WORKERS,
    ) -> "ReviewPage":
        """Open a page in the browser on which this sample is reviewed: images are kept or rejected.

        It is the page of ``sdindex review``, served to this machine alone by threads of this
        program: the call returns at once. The sample is drawn anew, by the same options; a saved
        sample is reviewed whole, as it was saved.

        Parameters
        ----------
        observer
            Who decides; by default the user of this computer.
        browser
            False opens none: open the page's ``address`` yourself.
        read_only
            Let nothing be decided or saved.
        workers
            Processes that make the pictures.

        Returns
        -------
        ReviewPage
            Call ``close()`` to end the page, or use it in a ``with`` block. ``wait()`` waits for
            Ctrl-C, so that a script does not end. ``review`` is what `sdindex.Index.review`
            returns.

        Raises
        ------
        UsageError
            When a package that the page needs is not installed.

        Examples
        --------
        >>> with index.select(4).review(browser=False) as page:
        ...     print(page.address)  # doctest: +ELLIPSIS
        http://127.0.0.1:...
        """
        from sdindex.web import require_installed

        shown, only_shown = flag("browser", browser), flag("read_only", read_only)
        processes = whole("workers", workers, 1)
        require_installed()
        from sdindex.web.page import ReviewPage  # the server, imported for this alone

        review = self._begin(optional(text, "observer", observer))
        page = ReviewPage(self._index, review, read_only=only_shown, workers=processes)
        if shown:
            page.show()
        return page

    def _repr_html_(self) -> str:
        """Return a small sheet of pictures, which a notebook shows."""
        from sdindex.pages.notebook import sheet  # numpy and Pillow, for this alone

        return sheet(self)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as problem:
        way_out = f"install it with: pip install {name}"
        raise UsageError(f"to_{name} needs {name}; {way_out}") from problem
