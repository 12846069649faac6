"""The built-in formats of `lvm compare`."""

from lvmcore import hookimpl


@hookimpl
def lvm_reports():
    from lvm_reports.data import Csv, Json
    from lvm_reports.markdown import Markdown
    from lvm_reports.table import Table

    return [("table", Table), ("markdown", Markdown), ("csv", Csv), ("json", Json)]
