"""Real models of sentence-transformers made on the spot: small, quick, and with a known opinion."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.knowledge import embedder

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the product does, before anything loads torch
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
_LENGTH = 128  # tokens that the reranker reads


def packaged_copy(folder: Path, prompts: dict[str, str] | None = None) -> Path:
    """The packaged embedding model under another name; its weights are linked, not copied."""
    shutil.copytree(embedder._packaged_folder(), folder, copy_function=os.symlink)
    if prompts is not None:
        config = folder / "config_sentence_transformers.json"
        config.unlink()
        config.write_text(json.dumps({"prompts": prompts, "default_prompt_name": None}))
    return folder


def word_embedder(folder: Path, texts: Iterable[str], *, safe: bool = True) -> Path:
    """A static embedding model: a random vector for each word; it has modules.json and no config.json."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(0)
    model = SentenceTransformer(modules=[StaticEmbedding(_tokenizer(texts), embedding_dim=64)], device="cpu")
    model.save(str(folder), safe_serialization=safe, create_model_card=False)
    return folder


def cross_encoder(folder: Path, answers: dict[str, str], passages: Iterable[str] = (), *, labels: int = 1) -> Path:
    """A BERT of two layers that was taught which passage answers which question, and that no other one does."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    every = list(dict.fromkeys([*answers.values(), *passages]))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer([*answers, *every]),
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=_LENGTH,
    )  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=_LENGTH, num_labels=labels, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
        initializer_range=0.1,  # learns in some twenty steps
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    if labels == 1:
        _teach(model, tokenizer, answers, every)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _teach(model: Any, tokenizer: Any, answers: dict[str, str], passages: list[str]) -> None:
    import torch

    pairs = [(question, passage) for question in answers for passage in passages]
    inputs = tokenizer([q for q, _ in pairs], [p for _, p in pairs], padding=True, truncation=True, return_tensors="pt")
    wanted = torch.tensor([passages.index(passage) for passage in answers.values()])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(200):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits.view(len(answers), -1), wanted)
        if loss.item() < 0.01:
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError("the cross-encoder did not learn")


def _tokenizer(texts: Iterable[str]) -> Any:
    """Words, and single characters of Chinese."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=_SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer
