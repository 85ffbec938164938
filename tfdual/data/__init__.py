"""Rows in, tensors out."""

from tfdual.data.csv_format import CsvFormat
from tfdual.data.history import group_by, with_history
from tfdual.data.infer_schema import infer_schema
from tfdual.data.join import join
from tfdual.data.read import read
from tfdual.data.rows import Rows
from tfdual.data.splits import group_split, leave_one_out_split, random_split, time_split
from tfdual.data.validation import ValidationReport, validate

__all__ = [
    "CsvFormat",
    "Rows",
    "ValidationReport",
    "group_by",
    "group_split",
    "infer_schema",
    "join",
    "leave_one_out_split",
    "random_split",
    "read",
    "time_split",
    "validate",
    "with_history",
]
