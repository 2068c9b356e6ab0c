"""The retrieval tool of Vertex-backed channels and its authentication. No I/O; wire-faithful."""

from msgspec import field

from cometgem.types.wire import Wire


class ApiKeyConfig(Wire, kw_only=True):
    """An API key: itself, or the name of a secret that holds it; and where it goes."""

    name: str | None = None
    api_key_string: str | None = None
    api_key_secret: str | None = None
    http_element_location: str | None = None
    """An `HttpElementLocation`."""


class ServiceAccountConfig(Wire, kw_only=True):
    """A Google service account."""

    service_account: str | None = None


class HttpBasicAuthConfig(Wire, kw_only=True):
    """The name of a secret that holds a user name and a password."""

    credential_secret: str | None = None


class OauthConfig(Wire, kw_only=True):
    """An OAuth access token, or the service account that gets one."""

    access_token: str | None = None
    service_account: str | None = None


class OidcConfig(Wire, kw_only=True):
    """An OpenID Connect token, or the service account that gets one."""

    id_token: str | None = None
    service_account: str | None = None


class AuthConfig(Wire, kw_only=True):
    """How to authenticate to a service that the API calls; `auth_type` is an `AuthType`."""

    auth_type: str | None = None
    api_key: str | None = None
    api_key_config: ApiKeyConfig | None = None
    google_service_account_config: ServiceAccountConfig | None = None
    http_basic_auth_config: HttpBasicAuthConfig | None = None
    oauth_config: OauthConfig | None = None
    oidc_config: OidcConfig | None = None


class ApiAuthKeyConfig(Wire, kw_only=True):
    """An API key: itself, or the version of a secret that holds it."""

    api_key_secret_version: str | None = None
    api_key_string: str | None = None


class ApiAuth(Wire, kw_only=True):
    """The former way to authenticate; newer requests use `AuthConfig`."""

    api_key_config: ApiAuthKeyConfig | None = None


class ElasticSearchParams(Wire, kw_only=True):
    """An index of Elasticsearch, and the template of its queries."""

    index: str | None = None
    num_hits: int | None = None
    search_template: str | None = None


class SimpleSearchParams(Wire, kw_only=True):
    """A search API without parameters."""


class ExternalApi(Wire, kw_only=True):
    """A search API of the caller's own; `api_spec` is an `ApiSpec`."""

    endpoint: str | None = None
    api_spec: str | None = None
    api_auth: ApiAuth | None = None
    auth_config: AuthConfig | None = None
    elastic_search_params: ElasticSearchParams | None = None
    simple_search_params: SimpleSearchParams | None = None


class DataStoreSpec(Wire, kw_only=True):
    """A data store of an engine, and a filter on it."""

    data_store: str | None = None
    filter: str | None = None


class VertexAISearch(Wire, kw_only=True):
    """A data store or an engine of Vertex AI Search."""

    datastore: str | None = None
    engine: str | None = None
    data_store_specs: list[DataStoreSpec] = field(default_factory=list)
    filter: str | None = None
    max_results: int | None = None


class RagResource(Wire, kw_only=True):
    """A RAG corpus, and the files to search in it; empty searches all."""

    rag_corpus: str | None = None
    rag_file_ids: list[str] = field(default_factory=list)


class RagFilter(Wire, kw_only=True):
    """Which passages to use: by metadata, and by distance or by similarity."""

    metadata_filter: str | None = None
    vector_distance_threshold: float | None = None
    vector_similarity_threshold: float | None = None


class HybridSearch(Wire, kw_only=True):
    """The weight of the dense vectors, 0 to 1; the rest is that of the sparse ones."""

    alpha: float | None = None


class LlmRanker(Wire, kw_only=True):
    """The model that ranks the passages."""

    model_name: str | None = None


class RankService(Wire, kw_only=True):
    """The ranking service's model that ranks the passages."""

    model_name: str | None = None


class RagRanking(Wire, kw_only=True):
    """What ranks the passages: one of the two fields."""

    llm_ranker: LlmRanker | None = None
    rank_service: RankService | None = None


class RagRetrievalConfig(Wire, kw_only=True):
    """How many passages to use, and which."""

    top_k: int | None = None
    filter: RagFilter | None = None
    hybrid_search: HybridSearch | None = None
    ranking: RagRanking | None = None


class VertexRagStore(Wire, kw_only=True):
    """The RAG corpora to search."""

    rag_resources: list[RagResource] = field(default_factory=list)
    rag_retrieval_config: RagRetrievalConfig | None = None
    store_context: bool | None = None
    rag_corpora: list[str] = field(default_factory=list)
    """Deprecated, like the two fields below: use `rag_resources` and `rag_retrieval_config`."""
    similarity_top_k: int | None = None
    vector_distance_threshold: float | None = None


class Retrieval(Wire, kw_only=True):
    """Lets the model search the caller's own data: one of the three sources."""

    vertex_ai_search: VertexAISearch | None = None
    vertex_rag_store: VertexRagStore | None = None
    external_api: ExternalApi | None = None
    disable_attribution: bool | None = None
    """Deprecated."""
