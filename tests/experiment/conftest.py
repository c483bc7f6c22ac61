from tests.support.command_line import invoke as invoke
from tests.support.command_line import tiny_run as tiny_run
