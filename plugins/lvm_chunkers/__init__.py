"""The built-in chunkers."""

from lvmcore import hookimpl


@hookimpl
def lvm_chunkers():
    return [
        ("sentences", "lvm_chunkers.sentences:Sentences"),
        ("paragraphs", "lvm_chunkers.paragraphs:Paragraphs"),
        ("words", "lvm_chunkers.words:Words"),
        ("tokens", "lvm_chunkers.tokens:Tokens"),
    ]
