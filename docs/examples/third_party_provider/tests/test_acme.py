from flo2_provider_acme import Acme

from flo2.testing import ProviderSuite


class TestAcme(ProviderSuite):
    provider = Acme
