package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"touchstone/explain"
)

// refuseUsage tells what is wrong with a call, and where the help of it is. A call that only stopped too early gets that
// help at once. The exit code is 2.
func (a *app) refuseUsage(model *kong.Application, err error) int {
	var at *kong.Node
	if parse := (*kong.ParseError)(nil); errors.As(err, &parse) && parse.Context != nil {
		at = parse.Context.Selected()
	}
	if said := err.Error(); strings.HasPrefix(said, "expected ") && !strings.HasPrefix(said, `expected "<`) {
		if printed := a.printHelp(a.stderr, model, at); printed == nil {
			return 2
		}
	}
	l, name := a.words(), model.Name
	if at != nil {
		name += " " + at.Path()
	}
	text := noValue.ReplaceAllString(err.Error(), ": want a value")
	if a.chinese {
		text = usageInChinese(text)
	}
	fmt.Fprintf(a.stderr, "touchstone: %s\n%s%s --help\n", text, l.two("Try: ", "用法："), name)
	return 2
}

// noValue is how kong tells that a call ended where a flag's value should be.
var noValue = regexp.MustCompile(`: expected \S+ value but got "EOL" \(<EOL>\)$`)

// usageForms are kong's sentences on a wrong call, as expressions, and ours in their place. The first that fits the whole
// text is taken; what a value's own reader said goes on to the words of refusals.
var usageForms = [][2]string{
	{`^unknown flag (\S+), did you mean (one of )?(.+)\?$`, "没有参数 $1, 是否指 $3?"},
	{`^unknown flag (\S+)$`, "没有参数 $1"},
	{`^unexpected argument (.*), did you mean (one of )?(".+")\?$`, "多余或未知的 $1, 是否指 $3?"},
	{`^unexpected (argument|token) (.*)$`, "多余或未知的 $2"},
	{`^unexpected flag argument (.*)$`, "该参数不带值, 却给出 $1"},
	{`^missing flags: (.*)$`, "缺少参数: $1"},
	{`^missing positional arguments (.*)$`, "缺少 $1"},
	{`^expected one of (.*)$`, "须为以下之一: $1"},
	{`^expected "(.*)"$`, "缺少 $1"},
	{`^(\S+) must be one of (.*) but got (".*")$`, "$1 须为以下之一: $2, 而不是 $3"},
	{`^(--\S+) and (--\S+) can't be used together$`, "$1 与 $2 不能同时使用"},
	{`^(--.+) must be used together$`, "$1 须同时给出"},
	{`^(.+): want a value$`, "$1: 须给出值"},
	{`^(.+): expected (.+) value but got "(.*)" \(.*\); perhaps try (.+)\?$`, "$1: 须给出值, 而不是 $3; 是否指 $4?"},
	{`^(.+): expected (.+) value but got "(.*)" \(.*\)$`, "$1: 须给出值, 而不是 $3"},
	{`^(.+): expected duration but got (".*"): .*$`, "$1: 须为时长, 如 90s, 10m, 24h, 而不是 $2"},
	{`^(.+): expected (?:an int|a valid \d+ bit u?int|a float) but got ("[^"]*").*$`, "$1: 须为数字, 而不是 $2"},
	{`^(.+): bool value must be true, 1, yes, false, 0 or no but got (".*")$`, "$1: 须为 true, yes, 1 或 false, no, 0, 而不是 $2"},
	{`^(.+): expected "<key>=<value>" but got "(.*)"$`, "$1: 须为 名称=值, 而不是 $2"},
	{`^(.+): expected bool but got ("[^"]*").*$`, "$1: 须为 true 或 false, 而不是 $2"},
	{`^(.+): missing value, expecting .*$`, "$1: 须给出值"},
}

// usageInChinese says in Chinese what kong found wrong with a call.
func usageInChinese(text string) string {
	for _, f := range usageForms {
		if english := regexp.MustCompile(f[0]); english.MatchString(text) {
			return strings.ReplaceAll(english.ReplaceAllString(text, f[1]), " and --", " 与 --")
		}
	}
	return errorInChinese(text)
}

// localeVariables say what a person reads where TOUCHSTONE_LANG does not, the first that is set (POSIX.1-2017, 8.2).
var localeVariables = []string{"LC_ALL", "LC_MESSAGES", "LANG"}

// languageFromEnvironment is what a person reads by the environment: TOUCHSTONE_LANG where it is a language of ours, else
// Chinese where the locale's name begins with zh; "" where nothing says. A locale whose characters are not UTF-8 says
// nothing: its terminal would show something else than is written.
func languageFromEnvironment(a *app) string {
	if a.getenv == nil {
		return ""
	}
	if lang := a.getenv(languageVariable); lang != "" {
		if known, err := explain.ParseLanguage(lang); err == nil {
			return known.String()
		}
	}
	for _, name := range localeVariables {
		locale := a.getenv(name)
		if locale == "" {
			continue
		}
		language, charset, named := strings.Cut(strings.ToLower(locale), ".")
		charset, _, _ = strings.Cut(charset, "@")
		if strings.HasPrefix(language, "zh") && (!named || charset == "utf-8" || charset == "utf8") {
			return "zh"
		}
		return ""
	}
	return ""
}
