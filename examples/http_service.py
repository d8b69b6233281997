"""
An HTTP service that answers with embeddings and reconstruction errors
======================================================================

``MODEL=model.seqembed uvicorn http_service:app`` starts it, in the folder of this file. ``deploy_http.py`` calls it. It
needs ``pip install "seqembed[http]"``.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, FiniteFloat

from seqembed import load


class Question(BaseModel):
    """Sequences of shape (n_samples, n_timesteps, n_features). JSON has no NaN: null is a missing value."""

    sequences: Annotated[list[list[list[FiniteFloat | None]]], Field(min_length=1, max_length=1000)]


class Answer(BaseModel):
    """A row and a score for each sequence, and the name of the model: vectors of two models are not comparable."""

    model: str
    embeddings: list[list[float]]
    scores: list[float]


app = FastAPI(title="seqembed")
# By the path of its file: when the file was written, the name of the model, the model.
loaded = {}


def current_model():
    """Return the name of the model and the model. The file is read again after it was replaced."""
    path = Path(os.environ["MODEL"])
    written = path.stat().st_mtime_ns
    if path not in loaded or loaded[path][0] != written:
        content = path.read_bytes()
        loaded[path] = written, hashlib.sha256(content).hexdigest()[:12], load(content)
    return loaded[path][1:]


@app.post("/embed")
def embed(question: Question) -> Answer:
    """Embed sequences."""
    name, model = current_model()
    try:
        embeddings, scores = model.transform(question.sequences), model.reconstruction_error(question.sequences)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return Answer(model=name, embeddings=embeddings.tolist(), scores=scores.tolist())


@app.exception_handler(RequestValidationError)
def refuse(request, error):
    """Say what is wrong with a question. FastAPI would repeat the values too, and fail at NaN and infinity."""
    words = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return JSONResponse({"detail": "; ".join(words)}, 422)
