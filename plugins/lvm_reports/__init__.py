"""The built-in formats of `lvm compare`."""

from lvmcore import hookimpl


@hookimpl
def lvm_reports():
    return [
        ("table", "lvm_reports.table:Table"),
        ("markdown", "lvm_reports.markdown:Markdown"),
        ("csv", "lvm_reports.data:Csv"),
        ("json", "lvm_reports.data:Json"),
    ]
