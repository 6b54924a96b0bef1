"""The rules of Camtrap DP 1.0.2 (TDWG, MIT licence), written out: no test needs a network.

No package for this Python has the files of the standard itself. These are the fields, types and
constraints of its three table schemas and the keys between them, and what its profile requires of
``datapackage.json``; without the descriptions, and without what we write nothing of. They agree
with trap-schema 0.2.2, which wants Python 3.12, in each column and constraint.
"""

import json
from pathlib import Path
from typing import Any

from frictionless import Package, Schema
from jsonschema import Draft7Validator

_TIME = "%Y-%m-%dT%H:%M:%S%z"
_PART = {"minimum": 0, "maximum": 1}
_SIDE = {"minimum": 1e-15, "maximum": 1}

_FEATURES = ["roadPaved", "roadDirt", "trailHiking", "trailGame", "roadUnderpass", "roadOverpass",
             "roadBridge", "culvert", "burrow", "nestSite", "carcass", "waterSource",
             "fruitingTree"]  # fmt: skip


def _field(name: str, kind: str = "string", **constraints: Any) -> dict[str, Any]:
    timed = {"format": _TIME} if kind == "datetime" else {}
    return {"name": name, "type": kind, "constraints": constraints, **timed}


def _needed(name: str, kind: str = "string", **constraints: Any) -> dict[str, Any]:
    return _field(name, kind, required=True, **constraints)


def _key(field: str, table: str) -> dict[str, Any]:
    return {"fields": field, "reference": {"resource": table, "fields": field}}


SCHEMAS: dict[str, dict[str, Any]] = {
    "deployments": {
        "fields": [
            _needed("deploymentID", unique=True),
            _field("locationID"),
            _field("locationName"),
            _needed("latitude", "number", minimum=-90, maximum=90),
            _needed("longitude", "number", minimum=-180, maximum=180),
            _field("coordinateUncertainty", "integer", minimum=1),
            _needed("deploymentStart", "datetime"),
            _needed("deploymentEnd", "datetime"),
            _field("setupBy"),
            _field("cameraID"),
            _field("cameraModel"),
            _field("cameraDelay", "integer", minimum=0),
            _field("cameraHeight", "number", minimum=0),
            _field("cameraDepth", "number", minimum=0),
            _field("cameraTilt", "integer", minimum=-90, maximum=90),
            _field("cameraHeading", "integer", minimum=0, maximum=360),
            _field("detectionDistance", "number", minimum=0),
            _field("timestampIssues", "boolean"),
            _field("baitUse", "boolean"),
            _field("featureType", enum=_FEATURES),
            _field("habitat"),
            _field("deploymentGroups"),
            _field("deploymentTags"),
            _field("deploymentComments"),
        ],
        "missingValues": ["", "NA", "NaN", "nan"],
        "primaryKey": "deploymentID",
    },
    "media": {
        "fields": [
            _needed("mediaID", unique=True),
            _needed("deploymentID"),
            _field("captureMethod", enum=["activityDetection", "timeLapse"]),
            _needed("timestamp", "datetime"),
            _needed("filePath", pattern=r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"),
            _needed("filePublic", "boolean"),
            _field("fileName"),
            _needed("fileMediatype", pattern=r"^(image|video|audio)/.*$"),
            {"name": "exifData", "type": "any"},
            _field("favorite", "boolean"),
            _field("mediaComments"),
        ],
        "missingValues": ["", "NA", "NaN", "nan"],
        "primaryKey": "mediaID",
        "foreignKeys": [_key("deploymentID", "deployments")],
    },
    "observations": {
        "fields": [
            _needed("observationID", unique=True),
            _needed("deploymentID"),
            _field("mediaID"),
            _field("eventID"),
            _needed("eventStart", "datetime"),
            _needed("eventEnd", "datetime"),
            _needed("observationLevel", enum=["media", "event"]),
            _needed(
                "observationType",
                enum=["animal", "human", "vehicle", "blank", "unknown", "unclassified"],
            ),
            _field("cameraSetupType", enum=["setup", "calibration"]),
            _field("scientificName"),
            _field("count", "integer", minimum=1),
            _field("lifeStage", enum=["adult", "subadult", "juvenile"]),
            _field("sex", enum=["female", "male"]),
            _field("behavior"),
            _field("individualID"),
            _field("individualPositionRadius", "number", minimum=0),
            _field("individualPositionAngle", "number", minimum=-90, maximum=90),
            _field("individualSpeed", "number", minimum=0),
            _field("bboxX", "number", **_PART),
            _field("bboxY", "number", **_PART),
            _field("bboxWidth", "number", **_SIDE),
            _field("bboxHeight", "number", **_SIDE),
            _field("classificationMethod", enum=["human", "machine"]),
            _field("classifiedBy"),
            _field("classificationTimestamp", "datetime"),
            _field("classificationProbability", "number", **_PART),
            _field("observationTags"),
            _field("observationComments"),
        ],
        "missingValues": ["", "NA", "NaN", "nan"],
        "primaryKey": "observationID",
        "foreignKeys": [_key("deploymentID", "deployments"), _key("mediaID", "media")],
    },
}

_DESIGNS = ["simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted",
            "opportunistic"]  # fmt: skip
_TITLED = {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}
_RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies"]
_GEOMETRY = {
    "type": "object",
    "required": ["type"],
    "oneOf": [
        {
            "properties": {
                "type": {"const": "Polygon"},
                "coordinates": {
                    "type": "array",
                    "items": {
                        "type": "array",
                        "minItems": 4,
                        "items": {"type": "array", "minItems": 2, "items": {"type": "number"}},
                    },
                },
            },
            "required": ["coordinates"],
        },
        {
            "properties": {
                "type": {"const": "GeometryCollection"},
                "geometries": {"type": "array"},
            },
            "required": ["geometries"],
        },
    ],
}
PROFILE = Draft7Validator(
    {
        "type": "object",
        "required": [
            "resources",
            "profile",
            "created",
            "contributors",
            "project",
            "spatial",
            "temporal",
            "taxonomic",
        ],
        "properties": {
            "resources": {
                "minItems": 3,
                "items": {
                    "required": ["name", "path", "profile", "schema"],
                    "properties": {
                        "name": {"enum": ["deployments", "media", "observations"]},
                        "profile": {"enum": ["tabular-data-resource"]},
                        "schema": {"type": "string", "format": "uri", "pattern": r"1\.0"},
                    },
                },
            },
            "profile": {"type": "string", "format": "uri", "pattern": r"1\.0"},
            "created": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"},
            "contributors": {"minItems": 1, "items": _TITLED},
            "sources": {"minItems": 1, "items": _TITLED},
            "project": {
                "type": "object",
                "required": [
                    "title",
                    "samplingDesign",
                    "captureMethod",
                    "individualAnimals",
                    "observationLevel",
                ],
                "properties": {
                    "title": {"type": "string"},
                    "samplingDesign": {"enum": _DESIGNS},
                    "captureMethod": {
                        "minItems": 1,
                        "items": {"enum": ["activityDetection", "timeLapse"]},
                    },
                    "individualAnimals": {"type": "boolean"},
                    "observationLevel": {"items": {"enum": ["media", "event"]}},
                },
            },
            "spatial": _GEOMETRY,
            "temporal": {
                "type": "object",
                "required": ["start", "end"],
                "properties": {
                    each: {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
                    for each in ("start", "end")
                },
            },
            "taxonomic": {
                "type": "array",
                "items": {
                    "required": ["scientificName"],
                    "properties": {
                        "taxonRank": {"enum": _RANKS},
                        **{each: {"type": "string"} for each in ("scientificName", *_RANKS[:-2])},
                    },
                },
            },
        },
    }
)


def refusals(folder: Path) -> list[Any]:
    """Return what the standard has against a package: nothing, where it is valid."""
    described = json.loads((folder / "datapackage.json").read_text())
    found: list[Any] = [error.message for error in PROFILE.iter_errors(described)]
    for resource in described["resources"]:  # the rules are here, and not at their URLs
        resource["schema"] = SCHEMAS[resource["name"]]
        del resource["profile"]
    del described["profile"]
    package = Package.from_descriptor(described, basepath=str(folder))
    for resource in package.resources:
        resource.schema = Schema.from_descriptor(SCHEMAS[resource.name])
    return [*found, *package.validate().flatten(["type", "fieldName", "message"])]
