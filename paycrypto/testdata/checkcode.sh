#!/bin/bash
# One check code by OpenSSL and shell arithmetic alone: KEYHEX SERIAL STEP
key=$1 serial=$2 step=$3
k=$( (printf 'touchstone/check/1\0'; printf %s "$serial") | openssl dgst -sm3 -mac HMAC -macopt hexkey:$key | sed 's/.*= //')
s=$(printf %016x "$step" | xxd -r -p | openssl dgst -sm3 -mac HMAC -macopt hexkey:$k | sed 's/.*= //')
at=$((16#${s: -1}))
n=$(( 16#${s:$((at*2)):8} & 0x7fffffff ))
printf '{"key":"%s","serial":"%s","step":%s,"check_key":"%s","sum":"%s","want":"%08d"}\n' "$key" "$serial" "$step" "$k" "$s" $((n % 100000000))
