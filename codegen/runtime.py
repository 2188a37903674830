"""What generated pages say about the client's hand-written part; a test compares it with that part."""

PACKAGE = "freechat_sdk"
MODULES = (
    "api",
    "api_client",
    "api_response",
    "characters",
    "configuration",
    "conversation",
    "download",
    "exceptions",
    "hooks",
    "models",
    "pagination",
    "rest",
    "streaming",
    "teaching",
    "transcript",
    "upload",
)
"""The public modules, which the package offers as attributes."""
PUBLIC_NAMES = {
    "_api": ("RequestOptions",),
    "api_client": ("ApiClient", "ClientOptions"),
    "api_response": ("ApiResponse",),
    "characters": ("create_character_with_prompt", "find_character"),
    "configuration": ("Configuration",),
    "conversation": ("Conversation",),
    "download": ("Download",),
    "exceptions": (
        "ApiAttributeError",
        "ApiConnectionError",
        "ApiDecodeError",
        "ApiException",
        "ApiKeyError",
        "ApiTimeoutError",
        "ApiTypeError",
        "ApiValueError",
        "ApiVersionError",
        "BadRequestException",
        "ConflictException",
        "ConversationBusyError",
        "ForbiddenException",
        "ForeignConnectionWarning",
        "InsecureTransportWarning",
        "KeyInExportWarning",
        "NotFoundException",
        "OpenApiException",
        "QuotaExceededException",
        "RagTaskFailedError",
        "ServiceException",
        "ServiceUnavailableException",
        "StreamFailedError",
        "StreamInterruptedError",
        "UnauthorizedException",
        "UnknownFieldWarning",
        "UnprocessableEntityException",
    ),
    "hooks": ("Call", "Hooks"),
    "pagination": ("paginate",),
    "rest": ("RetryPolicy",),
    "teaching": ("document_key", "teach", "wait_for_rag_task"),
    "transcript": ("to_markdown", "to_records"),
    "upload": ("Upload",),
}
"""The hand-written classes that the package offers, by module."""
DEFAULT_HOST = "http://127.0.0.1:8080"
DOWNLOAD_ACCEPT = "application/octet-stream, */*, application/json"

# Seconds.
TIMEOUT = 60
MODEL_TIMEOUT = 300
STREAM_FIRST_EVENT_TIMEOUT = 300
STREAM_IDLE_TIMEOUT = 120

RETRIED_STATUSES = (502, 503, 504)
_EXCEPTIONS = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    403: "ForbiddenException",
    404: "NotFoundException",
    409: "ConflictException",
    422: "UnprocessableEntityException",
    429: "QuotaExceededException",
    503: "ServiceUnavailableException",
}


def exception_for(status: int) -> str:
    """Return the class of the exception for an error status."""
    return _EXCEPTIONS.get(status) or ("ServiceException" if status >= 500 else "ApiException")
