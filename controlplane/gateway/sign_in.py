"""`POST /_celaje/sign-in`: a user's password, and the code of an MFA device, for credentials of a session."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from controlplane.access.attempts import Attempts
from controlplane.access.sign_in import Attempt, Refused, sign_in
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer

PATH = "/_celaje/sign-in"
_STATUS = {"AuthenticationFailed": 403, "PasswordExpired": 403, "TooManyAttempts": 429}


class SignIn(BaseModel):
    """What the form holds. `code` and `newPassword` come when the first answer asked for them."""

    account: str = Field(min_length=1, max_length=64)
    user: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=128)
    code: str = Field("", max_length=6)
    new_password: str = Field("", max_length=128, alias="newPassword")


def sign_in_routes(database: Database, sealer: Sealer) -> APIRouter:
    """The answer is `{accessKeyId, secretAccessKey, sessionToken, expiration}` or `{code, message}`; status 401 means
    that the password was right and something more is asked for."""
    routes = APIRouter(tags=["console"])
    attempts = Attempts(database)

    async def post(form: SignIn) -> Any:
        attempt = Attempt(form.account, form.user, form.password, form.code, form.new_password)
        try:
            async with database.unit() as db:
                made = await sign_in(db, sealer, attempts, attempt)
        except Refused as refused:
            content = {"code": refused.code, "message": str(refused)}
            return JSONResponse(content, _STATUS.get(refused.code, 401), {"cache-control": "no-store"})
        content = {
            "accessKeyId": made.access_key_id,
            "secretAccessKey": made.secret_access_key,
            "sessionToken": made.token,
            "expiration": made.expires_at.isoformat(),
        }
        return JSONResponse(content, headers={"cache-control": "no-store"})

    routes.add_api_route(PATH, post, methods=["POST"], response_model=None)
    return routes
