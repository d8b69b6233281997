import pytest
from sklearn import config_context

from seqembed import LSTMAutoencoder, ReconstructionDetector, SequenceSummary
from seqembed.estimators.metadata_requests import described_requests, set_requests


@pytest.mark.parametrize("kind", [LSTMAutoencoder, ReconstructionDetector, SequenceSummary])
def test_requests_are_set_where_metadata_are_not_routed(kind):
    with config_context(enable_metadata_routing=True):
        asked = kind().set_fit_request(lengths="n_rows")
    estimator = kind()
    set_requests(estimator, described_requests(asked))
    assert str(estimator.get_metadata_routing()) == str(asked.get_metadata_routing())
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        estimator.set_fit_request(lengths=True)


def test_an_estimator_that_asks_for_nothing_stays_as_it_was():
    estimator = LSTMAutoencoder()
    set_requests(estimator, described_requests(estimator))
    assert not hasattr(estimator, "_metadata_request")
