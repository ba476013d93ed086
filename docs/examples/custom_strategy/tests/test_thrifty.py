from flo2_strategy_thrifty import Thrifty

from flo2.testing import StrategySuite


class TestThrifty(StrategySuite):
    strategy = Thrifty
