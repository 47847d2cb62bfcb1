package door

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }
