import re

import pytest
from errors import CASES, answer

# What the user gave, what was expected, what to do: the words that our messages say it in.
GIVEN = r"Got|got|has|holds|contains|is missing|was passed|fitted on"
EXPECTED = r"expected|Expected|must be|was fitted (on|with)|can be sequences or batches"


@pytest.mark.parametrize("mistake", CASES)
def test_errors_say_what_was_given_what_was_expected_and_what_to_do(mistake):
    call, remedy = CASES[mistake]
    message = str(answer(call))
    assert remedy in message
    assert re.search(rf"\b({GIVEN})\b", message), message
    assert re.search(rf"\b({EXPECTED})\b", message), message
    assert len(message) < 500
