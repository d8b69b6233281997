import threading

from seqembed import SequenceSummary
from seqembed.fitted_attributes import replace_attributes


def test_what_belongs_to_an_earlier_fit_goes_and_what_is_the_users_stays():
    summary = SequenceSummary(3).set_output(transform="pandas")
    summary.note = "pump 7"
    replace_attributes(summary, {"model_": 1, "feature_names_in_": ["flow"]})
    replace_attributes(summary, {"model_": 2}, removed=("feature_names_in_", "n_iter_"))
    assert (summary.note, summary.model_, summary.n_components) == ("pump 7", 2, 3)
    assert not hasattr(summary, "feature_names_in_")
    assert summary._sklearn_output_config == {"transform": "pandas"}


def test_threads_never_see_attributes_of_two_fits():
    summary, done, seen = SequenceSummary(), threading.Event(), set()
    names = [f"{name}_" for name in "abcdefgh"]
    replace_attributes(summary, dict.fromkeys(names, 0))

    def look():
        while not done.is_set():
            attributes = vars(summary)
            seen.add(len({attributes[name] for name in names}))

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(2000):
        replace_attributes(summary, dict.fromkeys(names, number))
    done.set()
    watcher.join()
    assert seen == {1}
