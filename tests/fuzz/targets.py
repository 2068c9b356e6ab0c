"""Each property and the strategies for its inputs."""

from collections.abc import Callable
from typing import Any

from fuzz import asking, inputs, json_pieces, merging, parsing, response_types

# These take a body and a seed, so atheris passes its bytes directly.
PARSING: tuple[Callable[[bytes, int], None], ...] = (
    parsing.events_are_those_of_the_standard,
    parsing.a_decoder_holds_no_more_than_its_limit,
    parsing.a_body_is_chunks_or_a_documented_error,
    parsing.any_error_response_is_a_status_error,
)

MERGING: dict[Callable[..., None], tuple[Any, ...]] = {
    merging.text_is_the_text_of_the_chunks: (inputs.chunks,),
    merging.merging_does_not_depend_on_cuts: (inputs.chunks, inputs.seeds),
    merging.merged_response_is_stable: (inputs.chunks,),
    merging.merging_changes_no_chunk_or_snapshot: (inputs.chunks,),
}

ASKING: dict[Callable[..., None], tuple[Any, ...]] = {
    asking.a_request_stays_in_its_place: (
        inputs.operations,
        inputs.names | inputs.json,
        inputs.headers | inputs.json,
    ),
    asking.json_of_the_caller_goes_out_as_it_is: (inputs.json,),
    asking.all_values_go_out_or_none: (
        inputs.contents | inputs.json,
        inputs.options | inputs.anything,
    ),
}

JSON_PIECES: dict[Callable[..., None], tuple[Any, ...]] = {
    json_pieces.what_is_shown_is_what_is_certain: (
        json_pieces.values,
        json_pieces.layouts,
        inputs.seeds,
    ),
    json_pieces.the_end_does_not_depend_on_cuts: (
        json_pieces.values,
        json_pieces.layouts,
        json_pieces.frames,
        inputs.seeds,
    ),
    json_pieces.items_are_those_of_the_list: (
        json_pieces.lists,
        json_pieces.layouts,
        json_pieces.frames,
        inputs.seeds,
    ),
    json_pieces.only_json_is_taken: (json_pieces.nearly_json, inputs.seeds),
}

SCHEMAS: dict[Callable[..., None], tuple[Any, ...]] = {
    response_types.schemas_stay_within_what_the_api_takes: (response_types.types,),
    response_types.what_a_type_accepts_is_valid: (response_types.types, response_types.data),
}

TARGETS = {
    **dict.fromkeys(PARSING, (inputs.bodies, inputs.seeds)),
    **MERGING,
    **ASKING,
    **JSON_PIECES,
    **SCHEMAS,
}
