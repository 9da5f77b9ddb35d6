package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"touchstone/pos"
	"touchstone/staff"
)

var sampleCashierNames = [...]string{"何花 He Hua", "马力 Ma Li", "林小雨 Lin Xiaoyu", "高兴 Gao Xing", "罗一 Luo Yi", "梁田 Liang Tian",
	"宋词 Song Ci", "唐诗 Tang Shi", "许愿 Xu Yuan", "韩冰 Han Bing", "冯春 Feng Chun", "董事 Dong Shi"}

// seedCashiers makes the people at the counters of a test data directory that are not there yet: number 001 of every shop, and in the
// first shop one who was never trained.
func (e *engine) seedCashiers(ctx context.Context) error {
	bank, err := staff.LoadBank()
	if err != nil {
		return err
	}
	right := map[string]string{}
	for _, q := range bank.Questions {
		right[q.ID] = q.Right
	}
	raw, err := json.MarshalIndent(right, "", " ")
	if err != nil {
		return err
	}
	dir := filepath.Join(e.dir, trainingDirectory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, answersFile), append(raw, '\n'), 0o600); err != nil {
		return err
	}
	for i := range sampleShops + 1 {
		merchant, operator, name := sampleMerchant(1+i), "001", sampleCashierNames[i%len(sampleCashierNames)]
		if i == sampleShops {
			merchant, name = sampleMerchant(9000), "访客 Visitor"
		}
		if err := e.seedCashier(ctx, merchant, operator, name, right); err != nil {
			return err
		}
	}
	return e.seedCashier(ctx, sampleMerchant(1), "002", "新来 New Here", nil)
}

func (e *engine) seedCashier(ctx context.Context, merchant pos.MerchantID, operator, name string, answers map[string]string) error {
	number, err := pos.ParseOperator(operator)
	if err != nil {
		return err
	}
	var known bool
	e.office.view(func(r *rooms) { known = r.staff.Cashier(staff.CashierID(merchant, number)) != nil })
	if known {
		return nil
	}
	setup := []string{"setup"}
	if _, err := e.changeCashier(ctx, &cashierChange{Merchant: merchant.String(), Operator: operator, Name: name}, setup); err != nil {
		return err
	}
	if answers == nil {
		return nil
	}
	step := trainingChange{Do: trainBegin, Merchant: merchant.String(), Operator: operator}
	begun, err := e.changeTraining(ctx, &step, setup)
	if err != nil {
		return err
	}
	step.Do, step.ID, step.Answers = trainEnd, begun.Facts["training"], answers
	_, err = e.changeTraining(ctx, &step, setup)
	return err
}
