"""Answers `useChat` of the npm package `ai`, with Django: uvicorn chat_django:application.

A project has its settings, views and URLs in files of their own; here they stand in one.
"""

import json
from functools import cache

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_POST

from cometgem import Client, ConfigurationError
from cometgem.web import (
    Relay,
    UIMessageEncoder,
    contents_from_ui_messages,
    django_response,
    refusal,
)

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost", "127.0.0.1"])


@cache
def client() -> Client:
    """Return the client of this process; Django has no hook for its start."""
    return Client()


async def get_weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


@require_POST
async def chat(request: HttpRequest) -> HttpResponseBase:
    """Answer the messages of the page."""
    body = json.loads(request.body)
    try:
        contents = contents_from_ui_messages(body.get("messages"))
        stream = client().run_tools("gemini-3.8-flash", contents, tools=[get_weather])
    except ConfigurationError as error:
        return await django_response(refusal(error))
    return await django_response(Relay(stream, UIMessageEncoder()))


urlpatterns = [path("api/chat", chat)]
application = get_asgi_application()
