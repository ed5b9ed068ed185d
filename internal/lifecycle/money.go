package lifecycle

import (
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount in minor units (cents, pence, yen) of one ISO 4217
// currency. The zero value is nothing in no currency.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// minorDigits holds the currencies of ISO 4217 whose minor unit is not 1/100.
var minorDigits = map[string]int{
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}

// MinorDigits returns how many decimal digits the currency's minor unit has.
func MinorDigits(currency string) int {
	if d, ok := minorDigits[currency]; ok {
		return d
	}
	return 2
}

// ValidCurrency reports whether s has the shape of an ISO 4217 code.
func ValidCurrency(s string) bool {
	if len(s) != 3 {
		return false
	}
	for _, r := range s {
		if r < 'A' || r > 'Z' {
			return false
		}
	}
	return true
}

// ParseMoney reads a decimal amount of major units such as "12.50" or "-3"
// exactly, without passing through floating point. More decimals than the
// currency has are accepted only when they are zeros.
func ParseMoney(decimal, currency string) (Money, error) {
	if !ValidCurrency(currency) {
		return Money{}, Errorf(Invalid, "currency %q is not an ISO 4217 code such as USD", currency)
	}
	s := strings.TrimSpace(decimal)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, _ := strings.Cut(s, ".")
	digits := MinorDigits(currency)
	for len(fraction) > digits && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if len(fraction) > digits {
		return Money{}, Errorf(Invalid, "amount %q has more than the %d decimals of %s", decimal, digits, currency)
	}
	fraction += strings.Repeat("0", digits-len(fraction))
	if whole == "" && strings.Trim(fraction, "0") == "" && !strings.ContainsAny(s, "0") {
		return Money{}, Errorf(Invalid, "amount %q is not a decimal number", decimal)
	}
	for _, r := range whole + fraction {
		if r < '0' || r > '9' {
			return Money{}, Errorf(Invalid, "amount %q is not a decimal number", decimal)
		}
	}
	amount, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil {
		return Money{}, Errorf(Invalid, "amount %q is out of range", decimal)
	}
	if negative {
		amount = -amount
	}
	return Money{Amount: amount, Currency: currency}, nil
}

// Major returns the amount in major units, for statistics and display only.
func (m Money) Major() float64 {
	v := float64(m.Amount)
	for range MinorDigits(m.Currency) {
		v /= 10
	}
	return v
}

// String renders "12.50 USD".
func (m Money) String() string {
	digits := MinorDigits(m.Currency)
	sign, abs := "", m.Amount
	if abs < 0 {
		sign, abs = "-", -abs
	}
	if digits == 0 {
		return fmt.Sprintf("%s%d %s", sign, abs, m.Currency)
	}
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	return fmt.Sprintf("%s%d.%0*d %s", sign, abs/unit, digits, abs%unit, m.Currency)
}
