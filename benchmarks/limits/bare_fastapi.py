"""Limit: FastAPI answering a small JSON object. No database, no token, no middleware."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Answer(BaseModel):
    id: int
    name: str


@app.get("/read")
async def read() -> Answer:
    return Answer(id=1, name="Ada Lovelace")
