"""An inspection as tables: what a corpus holds, its copies, and its forward signal with what that comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lvmcore.evaluation.figures import NONE, plain, signed
from lvmcore.report.tables import add_columns, duration, estimate, fact, new_table, note

Node = Mapping[str, Any]

SPREADS = {
    "length": "rows of an article",
    "norm": "of a row as it is stored",
    "coherence": "cosine of neighbours",
    "distinctness": "1 − cosine of target and last row",
}


class InspectionTables:
    """The tables of one document of `lvm data inspect`."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self.signal: Node | None = document["signal"]

    def all(self) -> Group:
        """Everything that is told; the verdict last, where a terminal ends."""
        parts: list[RenderableType] = [self.heading(), self.splits(), self.spreads(), self.lags(), self.copies()]
        if self.signal:
            parts += [self.ways(), self.growth(), self.beside()]
        return Group(*parts, *self.verdict())

    def heading(self) -> Text:
        document = self.document
        took = f"inspected in {duration(document['seconds'])}"
        return fact("corpus", f"{document['corpus']}   width {document['dim']}   {took}")

    def splits(self) -> Table:
        table = new_table()
        add_columns(table, "split")
        add_columns(table, "articles", "chunks", "windows", "shortest", "median", "longest", right=True)
        for name, held in self.document["splits"].items():
            lengths = held["lengths"]
            own = (lengths["least"], lengths["quantiles"]["0.5"], lengths["greatest"]) if lengths else (None,) * 3
            counts = (f"{held[key]:,}" for key in ("articles", "chunks", "windows"))
            table.add_row(*map(Text, [name.upper(), *counts, *(NONE if x is None else f"{x:,.0f}" for x in own)]))
        return table

    def spreads(self) -> Table:
        """Norms, coherence, distinctness: how they lie."""
        neighbours = self.document["neighbours"]
        held = {
            "norm": self.document["norms"],
            "coherence": neighbours["coherence"],
            "distinctness": neighbours["distinctness"],
        }
        quantiles = next((list(one["quantiles"]) for one in held.values() if one), [])
        table = new_table()
        add_columns(table, "", "what")
        add_columns(table, "least", *(f"{float(q):.0%}" for q in quantiles), "greatest", "mean", right=True)
        for name, one in held.items():
            if one:
                cells = [one["least"], *one["quantiles"].values(), one["greatest"], one["mean"]]
                table.add_row(*map(Text, [name, SPREADS[name], *(plain(cell) for cell in cells)]))
        return table

    def lags(self) -> Table:
        table = new_table("cos(x_{t+1}, x_{t−j})")
        lags = self.document["neighbours"]["lags"]
        add_columns(table, *(f"j = {lag}" for lag in range(len(lags))), right=True)
        table.add_row(*(Text(plain(lag["value"])) for lag in lags))
        return table

    def copies(self) -> Table:
        duplicates = self.document["duplicates"]
        table = new_table("rows with a copy in …")
        add_columns(table, "split", "copy")
        add_columns(table, "rows", "its article", "its split", "another split", right=True)
        for kind, label in (("exact", "exact"), ("near", f"cosine ≥ {duplicates['threshold']:g}")):
            for name, held in duplicates[kind].items():
                if held["rows"]:
                    counts = (f"{held[key]:,}" for key in ("rows", "article", "split", "across"))
                    table.add_row(*map(Text, [name.upper(), label, *counts]))
        return table

    def ways(self) -> Table:
        """The reference step by step, forwards and backwards."""
        assert self.signal
        table = new_table(
            f"the reference model on {self.signal['windows']:,} windows of {self.signal['articles']:,} articles of "
            f"{self.signal['split'].upper()}, fit on {self.signal['train_windows']:,} of "
            f"{self.signal['train_articles']:,} of TRAIN"
        )
        add_columns(table, "", "forwards  95 %", "backwards  95 %")
        ways = [self.signal["forwards"], self.signal["backwards"]]
        for level in ways[0]["levels"]:
            cells = (estimate(way["levels"][level]["cosine"], plain) for way in ways)
            table.add_row(Text(f"cosine, {level}"), *cells)
        for name in ("gain", "smoothing", "predictability"):
            table.add_row(Text(name, style="bold"), *(estimate(way[name], signed) for way in ways))
        table.add_row(Text("asymmetry", style="bold"), estimate(self.signal["asymmetry"], signed), Text())
        return table

    def growth(self) -> Table:
        """The gain on parts of the training articles."""
        assert self.signal
        growth = self.signal["growth"]
        table = new_table("fit on parts of the training articles")
        add_columns(table, "part")
        add_columns(table, "articles", "windows", right=True)
        add_columns(table, "gain  95 %", "predictability  95 %")
        for point in growth["points"]:
            cells = (estimate(point[name], signed) for name in ("gain", "predictability"))
            counts = (Text(f"{point[name]:,}") for name in ("articles", "windows"))
            table.add_row(Text(f"1/{1 / point['share']:.0f}" if point["share"] < 1 else "all"), *counts, *cells)
        if growth["gain"]:
            cells = (estimate(growth[name], signed) for name in ("gain", "predictability"))
            table.add_row(Text("a doubling adds", style="bold"), Text(), Text(), *cells)
        return table

    def beside(self) -> Table:
        """Yardsticks and reference as 5CAT sees them."""
        assert self.signal
        table = new_table(f"beside it, on {self.signal['split'].upper()}")
        add_columns(table, "", "role")
        add_columns(table, "cosine", right=True)
        add_columns(table, "gain  95 %")
        add_columns(table, "margin", right=True)
        for name, one in self.signal["beside"].items():
            cells = (
                Text(plain(one["cosine"]["value"])), estimate(one["gain"], signed),
                Text(signed(one["margin"]["value"])),
            )  # fmt: skip
            table.add_row(Text(name), Text(one["role"], style="dim"), *cells)
        return table

    def verdict(self) -> Iterator[Text]:
        for said in self.document["notes"]:
            yield note(said)
        for said in self.document["verdict"]:
            yield Text.assemble(("• ", "green"), said)
