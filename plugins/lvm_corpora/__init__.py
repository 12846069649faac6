"""The bundled corpora."""

from lvmcore import hookimpl


@hookimpl
def lvm_corpora():
    from lvm_corpora.kjv import Kjv
    from lvm_corpora.wiki import Wiki

    return [("wiki", Wiki), ("kjv", Kjv)]
