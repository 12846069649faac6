"""A bundled corpus once more by another encoder: the same chunks, articles and splits. Run by hand; minutes to hours.

    python examples/next/reencode.py factbook --encoder mpnet -o factbook-mpnet.safetensors

The texts come from where those of the bundled corpora come from: `plugins/lvm_corpora/bundled/README.md` says what has
to be installed for which.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins" / "lvm_corpora" / "bundled"))
from build import RECIPES

from lvmcore import Lab, LvmError, save_corpus
from lvmcore.building.encoding import encoded
from lvmcore.expression import parse_one

BLOCK = 512


def texts_of(name: str, titles: tuple[str, ...], rows: int) -> list[str]:
    """The chunks of a bundled corpus, in the order of its rows.

    Raises:
        LvmError: what was read is not what the corpus was made of.
    """
    chunks, _ = RECIPES[name][0]()
    texts = [chunk for found in chunks.values() for chunk in found]
    if tuple(chunks) != titles or len(texts) != rows:
        raise LvmError(
            f"{len(chunks)} articles of {len(texts)} chunks were read",
            where=name,
            expected=f"the {len(titles)} articles of {rows} chunks of the bundled corpus, with the same titles",
        )
    return texts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=list(RECIPES))
    parser.add_argument("--encoder", metavar="EXPR", required=True)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)
    asked = parser.parse_args()
    lab = Lab()
    try:
        held = lab.corpus(asked.corpus)
        encoding = lab.registry.make("encoder", parse_one(asked.encoder)).build("cpu", "auto")
        texts = texts_of(asked.corpus, held.info.titles, len(held))

        def blocks() -> Iterator[np.ndarray]:
            for at in range(0, len(texts), BLOCK):
                yield encoded(encoding, texts[at : at + BLOCK])
                print(
                    f"\r{min(at + BLOCK, len(texts)):,} of {len(texts):,} chunks", end="", file=sys.stderr, flush=True
                )

        facts = encoding.facts
        info = attrs.evolve(
            held.info,
            name=asked.output.stem,
            encoder=facts.name,
            revision=facts.revision,
            weights=facts.weights,
            encoder_term=asked.encoder,
            digest="",
        )
        digest = save_corpus(asked.output, blocks(), held.starts.numpy(), held.splits.numpy(), info)
    except LvmError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_status
    print(f"\n{asked.output}: {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
