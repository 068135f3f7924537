"""The parts of a bundle: what each model learns from the same interactions and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
from scipy import sparse

from models import categories, content, ease, ials, itemknn, popularity, rp3beta, topics, transitions, trending
from models.catalogue import items_table
from models.data import Interactions, ItemInfo
from models.enrichment import Enrichment
from models.features import add_item_features
from models.histories import add_histories
from models.ranker import no_ranker
from models.sasrec import SequenceConfig
from models.sparse import Matrix, Rows, matrix_of
from models.tokenizer import Tokenizer, TokenizerConfig
from models.tokenizer import train as train_tokenizer
from models.words import add_words
from models.writer import Parts
from training.progress import Progress
from training.ranker import RankerConfig
from training.stages import Stages
from training.weights import BlendConfig


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Every setting of a fit. The same data, settings and seed give the same bundle."""

    seed: int = 0
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    content: content.ContentConfig = field(default_factory=content.ContentConfig)
    categories: categories.CategoriesConfig = field(default_factory=categories.CategoriesConfig)
    topics: topics.TopicsConfig = field(default_factory=topics.TopicsConfig)
    popularity: popularity.PopularityConfig = field(default_factory=popularity.PopularityConfig)
    trending: trending.TrendingConfig = field(default_factory=trending.TrendingConfig)
    itemknn: itemknn.ItemKnnConfig = field(default_factory=itemknn.ItemKnnConfig)
    transitions: transitions.TransitionsConfig = field(default_factory=transitions.TransitionsConfig)
    ease: ease.EaseConfig = field(default_factory=ease.EaseConfig)
    rp3beta: rp3beta.Rp3BetaConfig = field(default_factory=rp3beta.Rp3BetaConfig)
    ials: ials.IalsConfig = field(default_factory=ials.IalsConfig)
    sequence: SequenceConfig = field(default_factory=SequenceConfig)
    blend: BlendConfig = field(default_factory=BlendConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError("seed is 0 or more")


@dataclass(frozen=True, slots=True)
class Texts:
    """What is learnt from the items' texts alone."""

    parts: Parts
    vectors: Matrix  # items by pieces, as `vectorize` makes them

    @classmethod
    def of(cls, parts: Parts) -> Texts:
        """`parts` may hold what other models learnt too."""
        by_piece = Rows.of(parts, "words")
        shape = (parts.table("items").num_rows, len(parts.array("piece_idf")))
        vectors = sparse.csc_array((by_piece.values, by_piece.columns, by_piece.starts), shape=shape)
        return cls(parts, vectors.tocsr())


def fit_texts(items: Sequence[ItemInfo], config: FitConfig, progress: Progress, stages: Stages) -> Texts:
    return Texts.of(stages.kept("texts", lambda: _text_parts(items, config, progress)))


def _text_parts(items: Sequence[ItemInfo], config: FitConfig, progress: Progress) -> Parts:
    parts = Parts(asdict(config))
    texts = [content.item_text(item) for item in items]
    with progress.stage("tokenizer", 1) as stage:
        parts.files["tokenizer.model"] = train_tokenizer(texts, config.tokenizer)
        stage.advance()
    with progress.stage("content vectors", 2) as stage:
        tokenizer = Tokenizer(parts.files["tokenizer.model"])
        pieces = tokenizer.encode(texts)
        idf = content.inverse_frequencies(pieces, len(tokenizer))
        vectors = content.vectorize(pieces, idf)
        stage.advance()
        projection = content.fit_projection(vectors, config.content, np.random.default_rng(config.seed))
        stage.advance()
    add_words(parts, vectors)
    parts.arrays["piece_idf"] = idf
    parts.arrays["piece_contents"] = projection
    parts.arrays["item_contents"] = content.unit_rows(np.asarray(vectors @ projection, np.float32))
    _add_enrichment(parts, items, tokenizer, config, progress)
    return parts


def _add_enrichment(
    parts: Parts, items: Sequence[ItemInfo], tokenizer: Tokenizer, config: FitConfig, progress: Progress
) -> None:
    names = categories.names_of(categories.learnable(items), config.categories)
    with progress.stage("categories", len(names)) as stage:
        idf = parts.arrays["piece_idf"]
        rng = np.random.default_rng(config.seed)
        parts.include(categories.fit(items, tokenizer, idf, config.categories, rng, stage.advance))
    with progress.stage("topics", config.topics.steps) as stage:
        parts.include(topics.fit(items, config.topics, np.random.default_rng(config.seed), stage.advance))
    with progress.stage("label items", 1) as stage:
        parts.tables["items"] = items_table(Enrichment(parts).enriched(items))
        stage.advance()


def fit_parts(
    data: Interactions,
    items: Sequence[ItemInfo],
    texts: Texts,
    config: FitConfig,
    progress: Progress,
    stages: Stages,
    label: str,
) -> Parts:
    """Everything of a bundle but the blend's weights and the ranker's trees."""
    taken = matrix_of(data)
    config = replace(config, ials=ials.settled(config.ials, taken))
    parts = Parts(asdict(config))
    parts.include(texts.parts)
    parts.include(stages.kept(f"factors{label}", lambda: fit_factors(taken, texts, config, progress, label)))
    parts.include(stages.kept(f"item-kNN{label}", lambda: _itemknn(taken, config, progress, label)))
    parts.include(stages.kept(f"EASE{label}", lambda: _ease(taken, config, progress, label)))
    with progress.stage(f"RP3beta{label}", len(items)) as stage:
        rp3beta.fit(taken, config.rp3beta, stage.advance).add_to(parts, "rp3beta")
    with progress.stage(f"transitions{label}", len(items)) as stage:
        transitions.fit(data, config.transitions, stage.advance).add_to(parts, "transitions")
    parts.arrays["popularity"] = popularity.fit(data, config.popularity)
    parts.arrays["trending"] = trending.fit(data, config.trending)
    add_item_features(parts, data)
    no_ranker(parts)
    parts.tables["users"] = pa.table({"id": pa.array(list(data.user_ids), pa.string())})
    add_histories(parts, data)
    return parts


def _itemknn(taken: Matrix, config: FitConfig, progress: Progress, label: str) -> Parts:
    parts = Parts({})
    with progress.stage(f"item-kNN{label}", taken.shape[1]) as stage:
        itemknn.fit(taken, config.itemknn, stage.advance).add_to(parts, "itemknn")
    return parts


def _ease(taken: Matrix, config: FitConfig, progress: Progress, label: str) -> Parts:
    parts = Parts({})
    with progress.stage(f"EASE{label}", 1) as stage:
        ease.fit(taken, config.ease, np.random.default_rng(config.seed)).add_to(parts)
        stage.advance()
    return parts


def fit_factors(taken: Matrix, texts: Texts, config: FitConfig, progress: Progress, label: str) -> Parts:
    """Factors learnt from users; items nobody took stand where their text lets expect them."""
    with progress.stage(f"iALS{label}", ials.rows_to_solve(taken, config.ials)) as stage:
        users, items = ials.fit(taken, config.ials, np.random.default_rng(config.seed), stage.advance)
    counts = np.bincount(taken.indices, minlength=taken.shape[1]).astype(np.float32)
    with progress.stage(f"texts to factors{label}", config.content.steps) as stage:
        mapping = content.fit_factor_map(texts.vectors, items, counts, config.content, stage.advance)
    with progress.stage(f"item factors{label}", 1) as stage:
        factors = ials.finish(taken, users, np.asarray(texts.vectors @ mapping, np.float32), config.ials)
        stage.advance()
    parts = Parts({})
    parts.arrays["item_factors"] = factors.items
    parts.arrays["item_learned"] = counts > 0
    parts.arrays["ials_gram"] = factors.gram
    parts.arrays["ials_mean_user"] = factors.mean_user
    parts.arrays["piece_factors"] = mapping
    return parts
