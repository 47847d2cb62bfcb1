package pgauth

import (
	"crypto"
	"crypto/x509"
)

// EndPoint returns the tls-server-end-point channel binding of a certificate
// (RFC 5929): its hash by the hash of its signature, at least SHA-256. Where
// that is undefined (Ed25519) it returns nil, and there is no binding.
func EndPoint(cert *x509.Certificate) []byte {
	var h crypto.Hash
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.DSAWithSHA256, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		h = crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = crypto.SHA512
	case x509.UnknownSignatureAlgorithm, x509.PureEd25519:
		return nil
	default:
		return nil
	}
	sum := h.New()
	sum.Write(cert.Raw)
	return sum.Sum(nil)
}

// endPointDER is EndPoint of a certificate as it goes over the wire.
func endPointDER(der []byte) []byte {
	if der == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return EndPoint(cert)
}
