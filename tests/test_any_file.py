"""Random files: an estimator that goes through any stream comes back equal, and a damaged file is refused in words."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import Trickle

from seqembed import (
    InvalidFileError,
    LSTMAutoencoder,
    LSTMReconstructor,
    ReconstructionDetector,
    SequenceSummary,
    load,
)
from seqembed.codec import SequenceCodec

WAVES = np.random.default_rng(0).normal(size=(6, 4, 2))
TABLE = pd.DataFrame(WAVES[:, :, 0]).add_prefix("hour ")
SAVED = {
    "network": LSTMAutoencoder(2, hidden_units=(2,), epochs=1, random_state=0).fit(WAVES),
    "stream": LSTMAutoencoder(2, hidden_units=(2,), epochs=1, random_state=0).partial_fit(WAVES),
    "summary": SequenceSummary(2).fit(WAVES),
    "detector": ReconstructionDetector(LSTMReconstructor(2, hidden_units=(), epochs=1), cv=2).fit(WAVES),
    "frame": SequenceSummary(2).fit(TABLE),
    "unfitted": LSTMReconstructor(3, hidden_units=(4, 5)),
}


@pytest.mark.slow
@given(st.sampled_from([*SAVED]), st.integers(1, 9) | st.integers(1, 5000), st.integers(1, 9) | st.integers(1, 5000))
def test_an_estimator_that_goes_through_any_stream_comes_back_equal(name, most_taken, most_given):
    stream = Trickle(most=most_taken)
    SAVED[name].save(stream)
    loaded = load(Trickle(stream.getvalue(), most=most_given))
    assert type(loaded) is type(SAVED[name])
    again = io.BytesIO()
    loaded.save(again)
    assert again.getvalue() == stream.getvalue()
    if name != "unfitted":
        assert_equal_results(loaded, SAVED[name])


def assert_equal_results(first, second):
    X = TABLE if hasattr(second, "feature_names_in_") else WAVES
    method = "score_samples" if isinstance(second, ReconstructionDetector) else "transform"
    np.testing.assert_array_equal(*(getattr(each, method)(X) for each in (first, second)))


@given(st.sampled_from([*SAVED]), st.data())
def test_a_file_that_was_cut_off_or_changed_is_refused_in_words(name, data):
    file = io.BytesIO()
    SAVED[name].save(file)
    content = bytearray(file.getvalue())
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 300))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidFileError) as caught:
        load(Trickle(bytes(content), most=4096))
    assert len(str(caught.value)) > 20


CODEC = SequenceCodec(max_error=0.5).fit(WAVES)


@pytest.mark.slow
@given(st.integers(1, 9), st.integers(1, 9))
def test_a_codec_that_goes_through_any_stream_decodes_what_it_encoded(most_taken, most_given):
    stream = Trickle(most=most_taken)
    CODEC.save(stream)
    loaded = SequenceCodec.load(Trickle(stream.getvalue(), most=most_given))
    data = loaded.encode(WAVES)
    assert data == CODEC.encode(WAVES)
    batches = list(loaded.decode_batches(Trickle(2 * data, most=most_given)))
    np.testing.assert_array_equal(batches, [CODEC.decode(data)] * 2)
