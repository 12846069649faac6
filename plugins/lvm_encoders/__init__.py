"""The encoders that make vectors of chunks; all but `hash` need the extra `encode`."""

from lvmcore import hookimpl


@hookimpl
def lvm_encoders():
    return [
        ("minilm", "lvm_encoders.minilm:MiniLM"),
        ("mpnet", "lvm_encoders.mpnet:Mpnet"),
        ("sentence-transformers", "lvm_encoders.hub:SentenceTransformers"),
        ("hash", "lvm_encoders.hashed:Hash"),
    ]
