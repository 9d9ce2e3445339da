"""Data sets as sources of problems: files, folders, hub data sets and rows in memory.

Rows are read (``readers``), mapped to fields (``schemas``, ``field_map``), parsed (``parse_row``),
audited (``audit``, each image and answer once, see ``checked``) and divided into splits
(``splits``); ``DatasetSource`` poses what holds up and ``validate_dataset`` reports on the rest. To
plug in: a published form is one entry of ``SCHEMAS`` in ``schemas``, a file format one entry of
``READERS`` in ``readers``.
"""

from mstar.envs.datasets.audit import Audit, AuditedRow, RowError, audit_dataset
from mstar.envs.datasets.field_map import FieldMap, dataset_description, parse_field_options
from mstar.envs.datasets.images import StoredImage
from mstar.envs.datasets.parse_row import ParsedRow
from mstar.envs.datasets.readers import READERS
from mstar.envs.datasets.schemas import SCHEMAS, Schema, choose_fields
from mstar.envs.datasets.source import DatasetSource, OnError
from mstar.envs.datasets.validate import Finding, ValidationReport, validate_dataset

__all__ = [
    "READERS",
    "SCHEMAS",
    "Audit",
    "AuditedRow",
    "DatasetSource",
    "FieldMap",
    "Finding",
    "OnError",
    "ParsedRow",
    "RowError",
    "Schema",
    "StoredImage",
    "ValidationReport",
    "audit_dataset",
    "choose_fields",
    "dataset_description",
    "parse_field_options",
    "validate_dataset",
]
